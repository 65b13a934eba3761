import { KfnCommand, type Output } from "../../command.ts";

export class AutoDisable extends KfnCommand {
	static override summary = "Upgrade nothing unattended any more";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(AutoDisable);
		const { autoDisable } = await import("#cli/ops/auto.ts");
		return autoDisable(this.context(flags));
	}
}
