import { KfnCommand, type Output } from "../../command.ts";

export class LockdownStatus extends KfnCommand {
	static override summary = "Show which BPF programs were let in, and which were or would be denied";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(LockdownStatus);
		const { lockdownStatus } = await import("#cli/ops/lockdown.ts");
		return lockdownStatus(this.context(flags));
	}
}
