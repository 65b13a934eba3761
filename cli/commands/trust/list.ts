import { KfnCommand, type Output } from "../../command.ts";

export class TrustList extends KfnCommand {
	static override summary = "Show whose bundles this host runs";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(TrustList);
		const { trustList } = await import("#cli/ops/trust.ts");
		return trustList(this.context(flags));
	}
}
