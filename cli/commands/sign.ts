import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { keyFlag } from "../flags.ts";

export class Sign extends KfnCommand {
	static override summary = "Add a signature to a bundle";
	static override args = {
		bundle: Args.file({ required: true, description: ".kfn file; rewritten in place" }),
	};
	static override flags = {
		key: keyFlag({ description: "key file; the environment's KFN_SIGNING_KEY is used when none is given" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Sign);
		const { sign } = await import("#cli/ops/sign.ts");
		return sign(this.context(flags), { file: args.bundle, keys: flags.key });
	}
}
