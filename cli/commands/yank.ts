import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { registryFlag } from "../flags.ts";

export class Yank extends KfnCommand {
	static override summary = "Hide a published version from ranges (it stays readable), or show it again";
	static override args = {
		version: Args.string({ required: true, description: "NAME@VERSION" }),
	};
	static override flags = {
		reason: Flags.string({ description: "shown to everyone who asks for it", exclusive: ["undo"] }),
		undo: Flags.boolean({ description: "show it again" }),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Yank);
		const { yank } = await import("#cli/ops/yank.ts");
		return yank(this.context(flags), {
			request: args.version,
			reason: flags.reason,
			undo: flags.undo,
			registry: flags.registry,
		});
	}
}
