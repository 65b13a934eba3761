import { KfnCommand, type Output } from "../../command.ts";

export class LockdownDisable extends KfnCommand {
	static override summary = "Let every BPF program in again; what it recorded is gone";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(LockdownDisable);
		const { lockdownDisable } = await import("#cli/ops/lockdown.ts");
		return lockdownDisable(this.context(flags));
	}
}
