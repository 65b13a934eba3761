import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { keyFlag } from "../../flags.ts";

export class AdvisoryNew extends KfnCommand {
	static override summary = "Make an advisory of an OSV document: what is vulnerable, and what fixes it";
	static override description =
		"The document is as docs/formats/advisory.md has it; modified, and what is the same in all, is filled in.";
	static override args = {
		document: Args.file({ required: true, description: "the OSV document, as JSON" }),
	};
	static override flags = {
		key: keyFlag({ description: "key file; without one, the advisory is not signed yet" }),
		out: Flags.string({ char: "o", required: true, helpValue: "FILE", description: "the advisory's file" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(AdvisoryNew);
		const { createAdvisory } = await import("#cli/ops/advisory.ts");
		return createAdvisory(this.context(flags), { document: args.document, keys: flags.key, out: flags.out });
	}
}
