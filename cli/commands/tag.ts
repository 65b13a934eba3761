import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";

export class Tag extends KfnCommand {
	static override summary = "Print the tag of a package folder or a bundle";
	static override examples = ["<%= config.bin %> tag packages/flow-dissector"];
	static override args = {
		source: Args.string({ required: true, description: "package folder or .kfn file" }),
	};
	static override flags = {
		lines: Flags.boolean({
			description: "print the lines that the tag is the hash of, as sha256sum writes them",
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Tag);
		const { tag } = await import("#cli/ops/tag.ts");
		return tag(this.context(flags), { source: args.source, lines: flags.lines });
	}
}
