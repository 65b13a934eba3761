import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";

export class RegistryTokenList extends KfnCommand {
	static override summary = "List tokens (never the secrets)";
	static override flags = {
		data: Flags.string({ required: true, description: "the registry's folder" }),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RegistryTokenList);
		const { listTokens } = await import("#cli/ops/registry.ts");
		return listTokens(this.context(flags), { data: flags.data });
	}
}
