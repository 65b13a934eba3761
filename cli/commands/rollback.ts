import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";

export class Rollback extends KfnCommand {
	static override summary = "Go back to the generation before, or to a given one";
	static override flags = {
		to: Flags.integer({ min: 0, description: "generation to go back to" }),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(Rollback);
		const { rollback } = await import("#cli/ops/rollback.ts");
		return rollback(this.context(flags), { to: flags.to });
	}
}
