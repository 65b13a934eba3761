import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class PermitPublish extends KfnCommand {
	static override summary = "Let every host of a registry find a rollback permit";
	static override args = {
		file: Args.file({ required: true, description: "the permit's file, signed" }),
	};
	static override flags = { registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(PermitPublish);
		const { publishPermit } = await import("#cli/ops/permit.ts");
		return publishPermit(this.context(flags), { file: args.file, registry: flags.registry });
	}
}
