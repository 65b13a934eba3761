import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { pruneFlag, registryFlag, sinceFlag } from "../flags.ts";

export class Mirror extends KfnCommand {
	static override summary = "Copy a registry, verified, into a folder that any file server can hand out";
	static override examples = [
		"<%= config.bin %> mirror /srv/kfn --registry https://registry.example",
		"<%= config.bin %> mirror /mnt/stick/kfn --since /mnt/old/kfn",
	];
	static override args = {
		folder: Args.string({ required: true, description: "folder of the mirror; made when missing" }),
	};
	static override flags = { since: sinceFlag(), prune: pruneFlag(), registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Mirror);
		const { mirror } = await import("#cli/ops/mirror.ts");
		return mirror(this.context(flags), {
			folder: args.folder,
			since: flags.since,
			prune: flags.prune,
			registry: flags.registry,
		});
	}
}
