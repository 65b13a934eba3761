import { KfnCommand, type Output } from "../../../command.ts";

export class TrustVendorList extends KfnCommand {
	static override summary = "Show whose word this host's operator takes for which hardware";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(TrustVendorList);
		const { trustVendorList } = await import("#cli/ops/trust-vendor.ts");
		return trustVendorList(this.context(flags));
	}
}
