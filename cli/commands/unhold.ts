import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";

export class Unhold extends KfnCommand {
	static override summary = "End a hold";
	static override args = {
		name: Args.string({ required: true, description: "bundle name" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Unhold);
		const { unhold } = await import("#cli/ops/hold.ts");
		return unhold(this.context(flags), { name: args.name });
	}
}
