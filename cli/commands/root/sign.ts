import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { keyFlag } from "../../flags.ts";

export class RootSign extends KfnCommand {
	static override summary = "Sign drafts of root or targets metadata; needs no registry";
	static override strict = false;
	static override args = {
		file: Args.file({ required: true, description: "draft; rewritten in place; more may follow" }),
	};
	static override flags = {
		key: keyFlag({ description: "key file; the environment's KFN_SIGNING_KEY is used when none is given" }),
	};

	protected async perform(): Promise<Output> {
		const { argv, flags } = await this.parse(RootSign);
		const { rootSign } = await import("#cli/ops/root.ts");
		return rootSign(this.context(flags), { files: argv as string[], keys: flags.key });
	}
}
