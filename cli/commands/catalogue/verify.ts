import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class CatalogueVerify extends KfnCommand {
	static override summary = "Check a catalogue against the vendors that this host trusts";
	static override args = {
		file: Args.file({ required: true, description: "the catalogue's file, signed" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(CatalogueVerify);
		const { verifyCatalogue } = await import("#cli/ops/catalogue.ts");
		return verifyCatalogue(this.context(flags), { file: args.file });
	}
}
