import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { registryFlag, sinceFlag } from "../flags.ts";

export class Export extends KfnCommand {
	static override summary =
		"Write a registry, verified, into one file, to be carried to where no network leads";
	static override examples = [
		"<%= config.bin %> export kfn-2026-11-28.tar",
		"<%= config.bin %> export kfn-2026-12-05.tar --since kfn-2026-11-28.tar",
	];
	static override args = {
		file: Args.string({ required: true, description: "the file to make; never replaced" }),
	};
	static override flags = { since: sinceFlag(), registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Export);
		const { exportTree } = await import("#cli/ops/export.ts");
		return exportTree(this.context(flags), {
			file: args.file,
			since: flags.since,
			registry: flags.registry,
		});
	}
}
