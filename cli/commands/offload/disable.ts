import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { deviceArgs } from "../../flags.ts";

export class OffloadDisable extends KfnCommand {
	static override summary = "Take a function back from a device, whose features become what they were";
	static override args = {
		...deviceArgs(),
		device: Args.string({ description: "eth0, or eth0@/run/netns/NAME" }),
	};
	static override flags = {
		all: Flags.boolean({ default: false, description: "from every device that was given one" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(OffloadDisable);
		const { offloadDisable } = await import("#cli/ops/offload.ts");
		return offloadDisable(this.context(flags), { ...args, all: flags.all });
	}
}
