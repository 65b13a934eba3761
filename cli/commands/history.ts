import { KfnCommand, type Output } from "../command.ts";

export class History extends KfnCommand {
	static override summary = "Show the generations of this host and what each changed";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(History);
		const { history } = await import("#cli/ops/history.ts");
		return history(this.context(flags));
	}
}
