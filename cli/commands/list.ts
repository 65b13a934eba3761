import { KfnCommand, type Output } from "../command.ts";

export class List extends KfnCommand {
	static override summary = "List what is installed, and where it is active";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(List);
		const { list } = await import("#cli/ops/list.ts");
		return list(this.context(flags));
	}
}
