import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { healthFlags } from "../flags.ts";

export class Rollback extends KfnCommand {
	static override summary = "Go back to what ran before, or to a given generation";
	static override args = {
		generation: Args.integer({
			min: 0,
			description:
				"generation to go back to (kfn history shows them), 0: nothing is active; without it, the latest that is not bad and ran something else",
		}),
	};

	static override flags = healthFlags();

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Rollback);
		const { rollback } = await import("#cli/ops/rollback.ts");
		return rollback(this.context(flags), { to: args.generation });
	}
}
