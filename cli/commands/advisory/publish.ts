import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class AdvisoryPublish extends KfnCommand {
	static override summary = "Let every host of a registry see an advisory, or its withdrawal";
	static override args = {
		file: Args.file({ required: true, description: "the advisory's file, signed" }),
	};
	static override flags = { registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(AdvisoryPublish);
		const { publishAdvisory } = await import("#cli/ops/advisory.ts");
		return publishAdvisory(this.context(flags), { file: args.file, registry: flags.registry });
	}
}
