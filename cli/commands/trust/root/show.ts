import { KfnCommand, type Output } from "../../../command.ts";

export class TrustRootShow extends KfnCommand {
	static override summary = "Show the pinned root, and what this host has verified from it";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(TrustRootShow);
		const { trustRootShow } = await import("#cli/ops/trust-root.ts");
		return trustRootShow(this.context(flags));
	}
}
