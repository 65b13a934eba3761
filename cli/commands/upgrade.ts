import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { registryFlag, scopeFlag } from "../flags.ts";

export class Upgrade extends KfnCommand {
	static override summary = "Swap to a newer version on the live host, or by permit to an older one";
	static override args = {
		bundle: Args.string({
			description: "NAME[@RANGE] or a .kfn file; without it, everything that is installed",
		}),
	};
	static override flags = {
		scope: scopeFlag(),
		registry: registryFlag(),
		permit: Flags.string({
			helpValue: "FILE",
			description: "rollback permit of the publisher, for going to a lower version",
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Upgrade);
		const { upgrade } = await import("#cli/ops/upgrade.ts");
		return upgrade(this.context(flags), {
			request: args.bundle,
			scope: flags.scope,
			registry: flags.registry,
			permit: flags.permit,
		});
	}
}
