import { KfnCommand, type Output } from "../../command.ts";

export class AutoStatus extends KfnCommand {
	static override summary = "Show whether and when this host upgrades itself, and what the last runs did";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(AutoStatus);
		const { autoStatus } = await import("#cli/ops/auto.ts");
		return autoStatus(this.context(flags));
	}
}
