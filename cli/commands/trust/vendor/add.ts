import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";
import { deviceIdsFlag, pubFlag } from "../../../flags.ts";

export class TrustVendorAdd extends KfnCommand {
	static override summary = "Let a vendor's keys say on this host what its hardware runs";
	static override args = {
		hardware: Args.string({ required: true, description: "BUS:VENDOR, such as pci:8086" }),
	};
	static override flags = {
		device: deviceIdsFlag(),
		issuer: Flags.string({ required: true, description: "the issuer that its catalogues name" }),
		key: pubFlag({ required: true, description: "the vendor's public key file" }),
		threshold: Flags.integer({
			min: 1,
			description: "how many of the keys must have signed; 1 for new hardware",
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(TrustVendorAdd);
		const { trustVendorAdd } = await import("#cli/ops/trust-vendor.ts");
		return trustVendorAdd(this.context(flags), {
			hardware: args.hardware,
			devices: flags.device,
			issuer: flags.issuer,
			keys: flags.key,
			threshold: flags.threshold,
		});
	}
}
