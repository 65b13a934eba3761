import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class CataloguePublish extends KfnCommand {
	static override summary = "Let every host of a registry find a catalogue";
	static override args = {
		file: Args.file({ required: true, description: "the catalogue's file, signed" }),
	};
	static override flags = { registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(CataloguePublish);
		const { publishCatalogue } = await import("#cli/ops/catalogue.ts");
		return publishCatalogue(this.context(flags), { file: args.file, registry: flags.registry });
	}
}
