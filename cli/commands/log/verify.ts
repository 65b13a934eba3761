import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class LogVerify extends KfnCommand {
	static override summary = "Check that the registry's log begins with what this host saw of it before";
	static override flags = { registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(LogVerify);
		const { verifyLog } = await import("#cli/ops/log.ts");
		return verifyLog(this.context(flags), { registry: flags.registry });
	}
}
