import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class LogShow extends KfnCommand {
	static override summary = "List the entries of the registry's log";
	static override flags = {
		name: Flags.string({ description: "only those of this bundle", helpValue: "NAME" }),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(LogShow);
		const { showLog } = await import("#cli/ops/log.ts");
		return showLog(this.context(flags), { name: flags.name, registry: flags.registry });
	}
}
