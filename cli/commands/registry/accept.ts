import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { dataFlag } from "../../flags.ts";

export class RegistryAccept extends KfnCommand {
	static override summary = "Take signed drafts of root and targets live";
	static override strict = false;
	static override args = {
		file: Args.file({
			description: "signed copy of a draft; more may follow; without one, what waits in the folder",
		}),
	};
	static override flags = { data: dataFlag() };

	protected async perform(): Promise<Output> {
		const { argv, flags } = await this.parse(RegistryAccept);
		const { registryAccept } = await import("#cli/ops/ceremony.ts");
		return registryAccept(this.context(flags), { data: flags.data, files: argv as string[] });
	}
}
