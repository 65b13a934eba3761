import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class OffloadProbe extends KfnCommand {
	static override summary =
		"Try whether a device does what the function does: superpackets through a wire, byte for byte";
	static override examples = ["<%= config.bin %> offload probe eth0 --peer eth1"];
	static override args = {
		device: Args.string({
			required: true,
			description: "the port that sends: NAME or NAME@/run/netns/NAMESPACE",
		}),
	};
	static override flags = {
		peer: Flags.string({
			required: true,
			description: "the port that receives, at the other end of the wire",
		}),
		seed: Flags.integer({
			min: 0,
			max: 2 ** 31 - 1,
			description: "of the random superpackets; another each time unless given",
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(OffloadProbe);
		const { offloadProbe } = await import("#cli/ops/offload-probe.ts");
		return offloadProbe(this.context(flags), { device: args.device, peer: flags.peer, seed: flags.seed });
	}
}
