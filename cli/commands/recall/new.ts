import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { keyFlag, listFlag, registryFlag } from "../../flags.ts";

export class RecallNew extends KfnCommand {
	static override summary = "Revoke versions of a bundle: hosts take them off and never activate them again";
	static override description =
		"Writes a revocation; kfn recall publish makes it count. One key of the publisher suffices. It names sources by their tag, so that devices that run the same source are stopped, too.";
	static override args = {
		name: Args.string({ required: true, description: "the bundle's name" }),
	};
	static override flags = {
		version: listFlag({
			helpValue: "VERSION|FILE",
			description: "what is bad: a version that the registry lists, or a .kfn file",
		}),
		tag: listFlag({ helpValue: "TAG", description: "what is bad: a source, as kfn tag prints it" }),
		"build-only": Flags.boolean({
			default: false,
			description: "revoke the versions' builds alone: their source is right, and devices may keep it",
		}),
		reason: Flags.string({
			required: true,
			helpValue: "TEXT",
			description: "shown wherever it is taken off",
		}),
		advisory: Flags.string({ helpValue: "ID", description: "the advisory that says more" }),
		key: keyFlag({ description: "key file; without one, the revocation is not signed yet" }),
		out: Flags.string({ char: "o", required: true, helpValue: "FILE", description: "the revocation's file" }),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RecallNew);
		const { newRecall } = await import("#cli/ops/recall.ts");
		return newRecall(this.context(flags), {
			name: args.name,
			versions: flags.version,
			tags: flags.tag,
			buildOnly: flags["build-only"],
			reason: flags.reason,
			advisory: flags.advisory,
			keys: flags.key,
			out: flags.out,
			registry: flags.registry,
		});
	}
}
