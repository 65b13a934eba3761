import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { registryFlag, scopeFlag } from "../flags.ts";

export class Install extends KfnCommand {
	static override summary = "Install a function: fetch, verify, preflight, attach";
	static override examples = [
		"<%= config.bin %> install flow-dissector",
		"<%= config.bin %> install flow-dissector@^1.0 --scope netns:/run/netns/blue",
		"<%= config.bin %> install ./flow-dissector-1.0.1.kfn",
	];
	static override args = {
		bundle: Args.string({ required: true, description: "NAME[@RANGE] from the registry, or a .kfn file" }),
	};
	static override flags = {
		scope: scopeFlag(),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Install);
		const { install } = await import("#cli/ops/install.ts");
		return install(this.context(flags), {
			request: args.bundle,
			scope: flags.scope,
			registry: flags.registry,
		});
	}
}
