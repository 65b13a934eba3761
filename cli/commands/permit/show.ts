import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class PermitShow extends KfnCommand {
	static override summary = "Show what a rollback permit covers and who signed it, unverified";
	static override args = {
		file: Args.file({ required: true, description: "the permit's file" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(PermitShow);
		const { showPermit } = await import("#cli/ops/permit.ts");
		return showPermit(this.context(flags), { file: args.file });
	}
}
