import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { pruneFlag } from "../flags.ts";

export class Import extends KfnCommand {
	static override summary = "Verify an export and copy it into a folder that this host installs from";
	static override args = {
		file: Args.string({ required: true, description: "what kfn export wrote" }),
	};
	static override flags = {
		to: Flags.string({
			description: "folder of the mirror; without it, /var/lib/kfn/registry below the root",
			helpValue: "DIR",
		}),
		prune: pruneFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Import);
		const { importTree } = await import("#cli/ops/import.ts");
		return importTree(this.context(flags), { file: args.file, to: flags.to, prune: flags.prune });
	}
}
