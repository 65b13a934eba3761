import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class RecallPublish extends KfnCommand {
	static override summary =
		"Publish a revocation or its withdrawal: the registry's recall list names it at once";
	static override args = {
		file: Args.file({ required: true, description: "the revocation's file" }),
	};
	static override flags = { registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RecallPublish);
		const { publishRecall } = await import("#cli/ops/recall.ts");
		return publishRecall(this.context(flags), { file: args.file, registry: flags.registry });
	}
}
