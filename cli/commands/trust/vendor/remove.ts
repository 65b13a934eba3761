import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";
import { deviceIdsFlag } from "../../../flags.ts";

export class TrustVendorRemove extends KfnCommand {
	static override summary = "Take trust in a vendor's word on hardware back";
	static override args = {
		hardware: Args.string({ required: true, description: "BUS:VENDOR, such as pci:8086" }),
	};
	static override flags = {
		device: deviceIdsFlag(),
		key: Flags.file({
			description: "public key file; without it, all keys of the hardware go",
			helpValue: "PUB",
		}),
		threshold: Flags.integer({ min: 1, description: "how many of the keys that stay must have signed" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(TrustVendorRemove);
		const { trustVendorRemove } = await import("#cli/ops/trust-vendor.ts");
		return trustVendorRemove(this.context(flags), {
			hardware: args.hardware,
			devices: flags.device,
			key: flags.key,
			threshold: flags.threshold,
		});
	}
}
