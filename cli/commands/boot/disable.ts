import { KfnCommand, type Output } from "../../command.ts";

export class BootDisable extends KfnCommand {
	static override summary = "Load nothing at boot any more; what runs stays";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(BootDisable);
		const { bootDisable } = await import("#cli/ops/boot.ts");
		return bootDisable(this.context(flags));
	}
}
