import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class RecallCheck extends KfnCommand {
	static override summary = "Ask what was revoked, and take it off this host";
	static override description =
		"What kfn-recall.timer runs every few minutes: one small request where nothing has changed. A revoked function goes to the last good version that ran here, or back to the kernel's own code.";
	static override flags = {
		relearn: Flags.boolean({
			default: false,
			description: "read everything anew, and replace a damaged memory of what was revoked",
		}),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RecallCheck);
		const { recallCheck } = await import("#cli/ops/recall-check.ts");
		return recallCheck(this.context(flags), { registry: flags.registry, relearn: flags.relearn });
	}
}
