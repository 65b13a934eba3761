import { KfnCommand, type Output } from "../../command.ts";

export class BootStatus extends KfnCommand {
	static override summary = "Show what the last boot loaded, why, and how long it took";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(BootStatus);
		const { bootStatus } = await import("#cli/ops/boot.ts");
		return bootStatus(this.context(flags));
	}
}
