import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";

export class Diff extends KfnCommand {
	static override summary = "Compare two generations: versions, fixes, source, instructions";
	static override examples = [
		"<%= config.bin %> diff",
		"<%= config.bin %> diff 1 3 --source",
		"<%= config.bin %> diff flow-dissector-1.0.0.kfn flow-dissector-1.0.1.kfn --instructions",
	];
	static override args = {
		from: Args.string({ description: "generation (or .kfn file); the one before the other unless given" }),
		to: Args.string({ description: "generation (or .kfn file); the current one unless given" }),
	};
	static override flags = {
		source: Flags.boolean({ description: "show the lines of the tagged sources that differ" }),
		instructions: Flags.boolean({ description: "show the BPF instructions that differ" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Diff);
		const { diff } = await import("#cli/ops/diff.ts");
		return diff(this.context(flags), {
			from: args.from,
			to: args.to,
			source: flags.source,
			instructions: flags.instructions,
		});
	}
}
