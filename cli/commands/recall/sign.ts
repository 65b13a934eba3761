import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { keyFlag } from "../../flags.ts";

export class RecallSign extends KfnCommand {
	static override summary = "Add a signature to a revocation or its withdrawal";
	static override args = {
		file: Args.file({ required: true, description: "the file; rewritten in place" }),
	};
	static override flags = {
		key: keyFlag({ description: "key file; the environment's KFN_SIGNING_KEY is used when none is given" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RecallSign);
		const { signRecall } = await import("#cli/ops/recall.ts");
		return signRecall(this.context(flags), { file: args.file, keys: flags.key });
	}
}
