import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";

export class Gc extends KfnCommand {
	static override summary = "Remove old generations and the bundles that only they needed";
	static override description =
		"The current generation, the one before it, the last good one, the last that booted and those of an interrupted change always stay.";
	static override flags = {
		keep: Flags.integer({ min: 0, default: 10, description: "how many of the newest generations stay" }),
		"dry-run": Flags.boolean({ description: "say what would be removed, and remove nothing" }),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(Gc);
		const { gc } = await import("#cli/ops/gc.ts");
		return gc(this.context(flags), { keep: flags.keep, dryRun: flags["dry-run"] });
	}
}
