import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class OffloadWatch extends KfnCommand {
	static override summary = "Follow links, firmware and catalogues, and take devices out and let them in";
	static override flags = {
		once: Flags.boolean({ default: false, description: "look once and end" }),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(OffloadWatch);
		const { offloadWatch } = await import("#cli/ops/offload.ts");
		return offloadWatch(this.context(flags), { once: flags.once, json: flags.json });
	}
}
