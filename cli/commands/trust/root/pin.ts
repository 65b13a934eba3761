import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";
import { registryFlag } from "../../../flags.ts";

export class TrustRootPin extends KfnCommand {
	static override summary =
		"Pin the registry's root: the file, or the one of a fingerprint that its admin gave you";
	static override examples = [
		"<%= config.bin %> trust root pin 1.root.json",
		"<%= config.bin %> trust root pin --fingerprint HEX --registry https://registry.example",
	];
	static override args = {
		file: Args.file({ description: "N.root.json, from the registry's admin over another channel" }),
	};
	static override flags = {
		fingerprint: Flags.string({
			helpValue: "HEX",
			description: "sha256 of N.root.json; the file itself is then read from the registry",
		}),
		replace: Flags.boolean({
			default: false,
			description: "another root is pinned: forget it, with all that this host has seen of its registry",
		}),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(TrustRootPin);
		const { trustRootPin } = await import("#cli/ops/trust-root.ts");
		return trustRootPin(this.context(flags), {
			file: args.file,
			fingerprint: flags.fingerprint,
			replace: flags.replace,
			registry: flags.registry,
		});
	}
}
