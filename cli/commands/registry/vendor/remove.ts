import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";
import { dataFlag, deviceIdsFlag, signAtOnceFlag } from "../../../flags.ts";

export class RegistryVendorRemove extends KfnCommand {
	static override summary =
		"Take a vendor's key, or its hardware, out of the map; what it signed counts no more";
	static override args = {
		hardware: Args.string({ required: true, description: "BUS:VENDOR, such as pci:8086" }),
	};
	static override flags = {
		data: dataFlag(),
		device: deviceIdsFlag(),
		vendor: Flags.file({
			description: "public key file; without it, all keys of the hardware go",
			helpValue: "PUB",
		}),
		threshold: Flags.integer({ min: 1, description: "how many of the keys that stay must have signed" }),
		key: signAtOnceFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RegistryVendorRemove);
		const { vendorRemove } = await import("#cli/ops/registry-vendor.ts");
		return vendorRemove(this.context(flags), {
			data: flags.data,
			hardware: args.hardware,
			devices: flags.device,
			vendor: flags.vendor,
			threshold: flags.threshold,
			keys: flags.key,
		});
	}
}
