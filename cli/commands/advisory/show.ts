import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class AdvisoryShow extends KfnCommand {
	static override summary =
		"Show what a file claims, or which verified advisories there are under a bundle's name";
	static override args = {
		subject: Args.string({
			required: true,
			description: "a file, with / or .json in its name, or a bundle's name",
		}),
	};
	static override flags = { registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(AdvisoryShow);
		const { showAdvisory } = await import("#cli/ops/advisory.ts");
		return showAdvisory(this.context(flags), { subject: args.subject, registry: flags.registry });
	}
}
