import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class OffloadList extends KfnCommand {
	static override summary = "Show which devices say that they can run a function, and whether they may";
	static override flags = {
		all: Flags.boolean({
			default: false,
			description: "every device, also of which there is nothing to say",
		}),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(OffloadList);
		const { offloadList } = await import("#cli/ops/offload.ts");
		return offloadList(this.context(flags), { all: flags.all });
	}
}
