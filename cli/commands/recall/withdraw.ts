import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { keyFlag } from "../../flags.ts";

export class RecallWithdraw extends KfnCommand {
	static override summary = "Write what takes a revocation back: it needs the publisher's whole threshold";
	static override args = {
		file: Args.file({ required: true, description: "the revocation's file" }),
	};
	static override flags = {
		reason: Flags.string({ required: true, helpValue: "TEXT", description: "why it is taken back" }),
		key: keyFlag({ description: "key file; without one, the withdrawal is not signed yet" }),
		out: Flags.string({ char: "o", required: true, helpValue: "FILE", description: "the withdrawal's file" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RecallWithdraw);
		const { withdrawRecall } = await import("#cli/ops/recall.ts");
		const { reason, key: keys, out } = flags;
		return withdrawRecall(this.context(flags), { file: args.file, reason, keys, out });
	}
}
