import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class CatalogueShow extends KfnCommand {
	static override summary = "Show what a catalogue claims and who signed it, unverified";
	static override args = {
		file: Args.file({ required: true, description: "the catalogue's file" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(CatalogueShow);
		const { showCatalogue } = await import("#cli/ops/catalogue.ts");
		return showCatalogue(this.context(flags), { file: args.file });
	}
}
