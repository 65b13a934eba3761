import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";

export class Explain extends KfnCommand {
	static override summary =
		"Say what does a function's work here, the kernel's own C code or a bundle, and why";
	static override args = {
		function: Args.string({ required: true, description: "function's name, as kfn status shows it" }),
	};
	static override flags = {
		scope: Flags.string({
			description: "this place only; without it, every place that the generation names, and the rest",
			helpValue: "SCOPE",
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Explain);
		const { explain } = await import("#cli/ops/explain.ts");
		return explain(this.context(flags), { function: args.function, scope: flags.scope });
	}
}
