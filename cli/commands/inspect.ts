import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";

export class Inspect extends KfnCommand {
	static override summary = "Show what a bundle holds, without trusting it";
	static override args = {
		bundle: Args.file({ required: true, description: ".kfn file" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Inspect);
		const { inspect } = await import("#cli/ops/inspect.ts");
		return inspect(this.context(flags), { file: args.bundle });
	}
}
