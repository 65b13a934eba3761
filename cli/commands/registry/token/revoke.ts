import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";
import { dataFlag } from "../../../flags.ts";

export class RegistryTokenRevoke extends KfnCommand {
	static override summary = "Revoke a token";
	static override args = {
		id: Args.string({ required: true, description: "token id, as list shows it" }),
	};
	static override flags = {
		data: dataFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RegistryTokenRevoke);
		const { revokeToken } = await import("#cli/ops/registry.ts");
		return revokeToken(this.context(flags), { data: flags.data, id: args.id });
	}
}
