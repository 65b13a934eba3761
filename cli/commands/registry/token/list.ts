import { KfnCommand, type Output } from "../../../command.ts";
import { dataFlag } from "../../../flags.ts";

export class RegistryTokenList extends KfnCommand {
	static override summary = "List tokens (never the secrets)";
	static override flags = {
		data: dataFlag(),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RegistryTokenList);
		const { listTokens } = await import("#cli/ops/registry.ts");
		return listTokens(this.context(flags), { data: flags.data });
	}
}
