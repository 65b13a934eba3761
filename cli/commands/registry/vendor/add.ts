import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";
import { dataFlag, deviceIdsFlag, pubFlag, signAtOnceFlag } from "../../../flags.ts";

export class RegistryVendorAdd extends KfnCommand {
	static override summary = "Let a vendor's keys say, through this registry, what its hardware runs";
	static override args = {
		hardware: Args.string({ required: true, description: "BUS:VENDOR, such as pci:8086" }),
	};
	static override flags = {
		data: dataFlag(),
		device: deviceIdsFlag(),
		issuer: Flags.string({ required: true, description: "the issuer that its catalogues name" }),
		vendor: pubFlag({ required: true, description: "the vendor's public key file" }),
		threshold: Flags.integer({
			min: 1,
			description: "how many of the hardware's keys must have signed; 1 for new hardware",
		}),
		key: signAtOnceFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RegistryVendorAdd);
		const { vendorAdd } = await import("#cli/ops/registry-vendor.ts");
		return vendorAdd(this.context(flags), {
			data: flags.data,
			hardware: args.hardware,
			devices: flags.device,
			issuer: flags.issuer,
			vendors: flags.vendor,
			threshold: flags.threshold,
			keys: flags.key,
		});
	}
}
