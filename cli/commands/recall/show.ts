import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class RecallShow extends KfnCommand {
	static override summary = "Show what a revocation names and who signed it, unverified";
	static override args = {
		file: Args.file({ required: true, description: "the revocation's file" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RecallShow);
		const { showRecall } = await import("#cli/ops/recall.ts");
		return showRecall(this.context(flags), { file: args.file });
	}
}
