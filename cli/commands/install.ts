import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { channelFlag, healthFlags, listFlag, permitFlag, registryFlag, scopeFlag } from "../flags.ts";

export class Install extends KfnCommand {
	static override summary = "Install a function: fetch, verify, preflight, attach";
	static override examples = [
		"<%= config.bin %> install flow-dissector",
		"<%= config.bin %> install flow-dissector@^1.0 --scope netns:/run/netns/blue",
		"<%= config.bin %> install ./flow-dissector-1.0.1.kfn",
		"<%= config.bin %> install flow-dissector --set vxlan_ports=4789 --set patch=pppoe-pfc",
	];
	static override args = {
		bundle: Args.string({ required: true, description: "NAME[@RANGE] from the registry, or a .kfn file" }),
	};
	static override flags = {
		...healthFlags(),
		scope: scopeFlag(),
		set: listFlag({
			helpValue: "NAME=VALUE",
			description:
				"a parameter of the function; lists are separated by commas, the others stay as they were set",
		}),
		reset: Flags.boolean({
			description: "take the bundle's defaults for every parameter that --set does not name",
		}),
		channel: channelFlag(),
		experimental: Flags.boolean({
			description: "take a bundle although its publisher calls it experimental",
		}),
		registry: registryFlag(),
		permit: permitFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Install);
		const { install } = await import("#cli/ops/install.ts");
		return install(this.context(flags), {
			request: args.bundle,
			scope: flags.scope,
			set: flags.set,
			reset: flags.reset,
			experimental: flags.experimental,
			registry: flags.registry,
			permit: flags.permit,
		});
	}
}
