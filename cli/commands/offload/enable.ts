import { KfnCommand, type Output } from "../../command.ts";
import { deviceArgs } from "../../flags.ts";

export class OffloadEnable extends KfnCommand {
	static override summary = "Give a function to a device that runs the same one";
	static override args = deviceArgs();

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(OffloadEnable);
		const { offloadEnable } = await import("#cli/ops/offload.ts");
		return offloadEnable(this.context(flags), args);
	}
}
