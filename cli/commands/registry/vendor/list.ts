import { KfnCommand, type Output } from "../../../command.ts";
import { dataFlag } from "../../../flags.ts";

export class RegistryVendorList extends KfnCommand {
	static override summary = "Show who may say, through this registry, what which hardware runs";
	static override flags = { data: dataFlag() };

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RegistryVendorList);
		const { vendorList } = await import("#cli/ops/registry-vendor.ts");
		return vendorList(this.context(flags), { data: flags.data });
	}
}
