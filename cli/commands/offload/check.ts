import { KfnCommand, type Output } from "../../command.ts";
import { deviceArgs } from "../../flags.ts";

export class OffloadCheck extends KfnCommand {
	static override summary = "Say whether a device may take a function over, and every reason why not";
	static override args = deviceArgs();

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(OffloadCheck);
		const { offloadCheck } = await import("#cli/ops/offload.ts");
		return offloadCheck(this.context(flags), args);
	}
}
