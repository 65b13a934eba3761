import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class TrustAdd extends KfnCommand {
	static override summary = "Let a publisher's keys vouch for bundle names on this host";
	static override args = {
		names: Args.string({ required: true, description: "bundle name, or a prefix and *" }),
	};
	static override flags = {
		key: Flags.string({
			required: true,
			multiple: true,
			multipleNonGreedy: true,
			description: "public key file",
		}),
		threshold: Flags.integer({
			min: 1,
			description: "how many of the keys must have signed; 1 for a new name",
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(TrustAdd);
		const { trustAdd } = await import("#cli/ops/trust.ts");
		return trustAdd(this.context(flags), { names: args.names, keys: flags.key, threshold: flags.threshold });
	}
}
