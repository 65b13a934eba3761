import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { channelFlag, listFlag, registryFlag, scopeFlag } from "../flags.ts";

export class Preflight extends KfnCommand {
	static override summary =
		"Try what an install would do without doing it: probe the kernel, verify, load, run every vector";
	static override description =
		"Without a bundle, tries all that is installed: whether it would load again, as at the next boot.";
	static override args = {
		bundle: Args.string({ description: "NAME[@RANGE] from the registry, or a .kfn file" }),
	};
	static override flags = {
		scope: scopeFlag(),
		set: listFlag({ helpValue: "NAME=VALUE", description: "a parameter of the function" }),
		channel: channelFlag(),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Preflight);
		const { preflight } = await import("#cli/ops/preflight.ts");
		return preflight(this.context(flags), {
			request: args.bundle,
			scope: flags.scope,
			registry: flags.registry,
			set: flags.set,
		});
	}
}
