import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { registryFlag, scopeFlag } from "../flags.ts";

export class Upgrade extends KfnCommand {
	static override summary = "Swap to a newer version on the live host";
	static override args = {
		bundle: Args.string({
			description: "NAME[@RANGE] or a .kfn file; without it, everything that is installed",
		}),
	};
	static override flags = {
		scope: scopeFlag(),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Upgrade);
		const { upgrade } = await import("#cli/ops/upgrade.ts");
		return upgrade(this.context(flags), {
			request: args.bundle,
			scope: flags.scope,
			registry: flags.registry,
		});
	}
}
