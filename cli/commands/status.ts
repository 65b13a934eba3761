import { KfnCommand, type Output } from "../command.ts";

export class Status extends KfnCommand {
	static override summary =
		"Show what runs in the kernel, who signed it, and whether it is what it should be";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(Status);
		const { status } = await import("#cli/ops/status.ts");
		return status(this.context(flags));
	}
}
