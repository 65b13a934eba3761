import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class BootEnable extends KfnCommand {
	static override summary = "Load this host's functions at every boot, before the network";
	static override flags = {
		initramfs: Flags.boolean({
			default: false,
			description: "already in the initramfs, where its maker is installed",
		}),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(BootEnable);
		const { bootEnable } = await import("#cli/ops/boot.ts");
		return bootEnable(this.context(flags), { initramfs: flags.initramfs });
	}
}
