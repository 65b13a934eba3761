import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class RootShow extends KfnCommand {
	static override summary = "Show a draft, or a live root or targets file: who signs what, and what changes";
	static override args = {
		file: Args.file({ required: true, description: "draft, N.root.json or N.targets.json" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RootShow);
		const { rootShow } = await import("#cli/ops/root.ts");
		return rootShow(this.context(flags), { file: args.file });
	}
}
