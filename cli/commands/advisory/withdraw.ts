import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { keyFlag } from "../../flags.ts";

export class AdvisoryWithdraw extends KfnCommand {
	static override summary = "Make the document that takes an advisory back";
	static override description =
		"It needs the same signatures, and counts once it is published (kfn advisory publish).";
	static override args = {
		file: Args.file({ required: true, description: "the advisory's file, as it was published" }),
	};
	static override flags = {
		reason: Flags.string({ required: true, helpValue: "TEXT", description: "stands in its details" }),
		key: keyFlag({ description: "key file; without one, it is not signed yet" }),
		out: Flags.string({ char: "o", required: true, helpValue: "FILE", description: "the new file" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(AdvisoryWithdraw);
		const { withdrawAdvisory } = await import("#cli/ops/advisory.ts");
		return withdrawAdvisory(this.context(flags), {
			file: args.file,
			reason: flags.reason,
			keys: flags.key,
			out: flags.out,
		});
	}
}
