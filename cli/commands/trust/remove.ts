import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class TrustRemove extends KfnCommand {
	static override summary = "Take trust in a name's publisher back";
	static override args = {
		names: Args.string({ required: true, description: "the pattern, as list shows it" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(TrustRemove);
		const { trustRemove } = await import("#cli/ops/trust.ts");
		return trustRemove(this.context(flags), { names: args.names });
	}
}
