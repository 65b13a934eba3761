import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class LogProve extends KfnCommand {
	static override summary = "Write the proof that the registry's log holds a version";
	static override args = { bundle: Args.string({ required: true, description: "NAME@VERSION" }) };
	static override flags = {
		out: Flags.string({ char: "o", required: true, description: "file to write, NAME-VERSION.tlog-proof" }),
		force: Flags.boolean({ description: "replace the file" }),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(LogProve);
		const { proveLogged } = await import("#cli/ops/log.ts");
		return proveLogged(this.context(flags), {
			request: args.bundle,
			out: flags.out,
			overwrite: flags.force,
			registry: flags.registry,
		});
	}
}
