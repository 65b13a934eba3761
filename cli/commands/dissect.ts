import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { scopeFlag } from "../flags.ts";

export class Dissect extends KfnCommand {
	static override summary =
		"Run the packets of a capture through the installed flow dissector and show the flows";
	static override args = {
		capture: Args.file({ required: true, description: "pcap or pcapng file, Ethernet" }),
	};
	static override flags = {
		scope: scopeFlag(),
		packets: Flags.boolean({ description: "one line per packet instead of per flow" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Dissect);
		const { dissect } = await import("#cli/ops/dissect.ts");
		return dissect(this.context(flags), { file: args.capture, scope: flags.scope, packets: flags.packets });
	}
}
