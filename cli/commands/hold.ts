import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { registryFlag } from "../flags.ts";

export class Hold extends KfnCommand {
	static override summary = "Keep a bundle at its version, and say which fixes that keeps out";
	static override examples = [
		"<%= config.bin %> hold flow-dissector --reason 'until the line is idle'",
		"<%= config.bin %> hold flow-dissector@1.0.1",
		"<%= config.bin %> hold",
	];
	static override args = {
		bundle: Args.string({
			description: "NAME, to stay at the active version, or NAME@VERSION; without it, shows all holds",
		}),
	};
	static override flags = {
		reason: Flags.string({ description: "why, for whoever reads it later", helpValue: "TEXT" }),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Hold);
		const { hold } = await import("#cli/ops/hold.ts");
		return hold(this.context(flags), {
			request: args.bundle,
			reason: flags.reason,
			registry: flags.registry,
		});
	}
}
