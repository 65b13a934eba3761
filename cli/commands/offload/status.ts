import { KfnCommand, type Output } from "../../command.ts";

export class OffloadStatus extends KfnCommand {
	static override summary = "Show which devices were given a function, and which of them run it";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(OffloadStatus);
		const { offloadStatus } = await import("#cli/ops/offload.ts");
		return offloadStatus(this.context(flags));
	}
}
