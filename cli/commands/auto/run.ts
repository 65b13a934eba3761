import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class AutoRun extends KfnCommand {
	static override summary = "Do what the timer does, once";
	static override flags = {
		now: Flags.boolean({ default: false, description: "outside of the maintenance windows, too" }),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(AutoRun);
		const { autoRun } = await import("#cli/ops/auto-run.ts");
		return autoRun(this.context(flags), { now: flags.now, registry: flags.registry });
	}
}
