import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class TrustRecover extends KfnCommand {
	static override summary =
		"Start again from the pinned root; nothing older than this host has seen is taken";
	static override flags = { registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(TrustRecover);
		const { trustRecover } = await import("#cli/ops/trust-root.ts");
		return trustRecover(this.context(flags), { registry: flags.registry });
	}
}
