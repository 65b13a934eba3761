import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { listFlag } from "../../flags.ts";

export class AutoEnable extends KfnCommand {
	static override summary = "Let a timer upgrade this host unattended";
	static override description =
		"The timer runs every 15 minutes, at a moment of the host's own. What a run did, and did not and why, stands in kfn auto status.";
	static override flags = {
		mode: Flags.option({
			options: ["security", "all"] as const,
			required: true,
			description:
				"security: only what closes an advisory, by the smallest step; all: the newest of everything",
		})(),
		window: listFlag({
			helpValue: "WINDOW",
			description:
				"when it may change something: 'Mon-Fri 02:00-04:00 Europe/Berlin'; without one, at any time",
		}),
		phase: Flags.integer({
			default: 0,
			min: 0,
			max: 168,
			helpValue: "HOURS",
			description: "spread a release over so many hours after its publication, by a hash of the machine id",
		}),
		parameters: Flags.boolean({
			default: false,
			description: "with --mode security: set parameters, too, where an advisory asks for them",
		}),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(AutoEnable);
		const { autoEnable } = await import("#cli/ops/auto.ts");
		const { mode, window: windows, phase: phaseHours, parameters } = flags;
		return autoEnable(this.context(flags), { mode, windows, phaseHours, parameters });
	}
}
