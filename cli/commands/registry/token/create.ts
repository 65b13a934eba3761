import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";
import { dataFlag } from "../../../flags.ts";

export class RegistryTokenCreate extends KfnCommand {
	static override summary = "Make a token; it is shown once";
	static override flags = {
		data: dataFlag(),
		label: Flags.string({ required: true, description: "whose it is" }),
		names: Flags.string({ default: "*", description: "bundle name, or a prefix and *" }),
		verb: Flags.string({
			multiple: true,
			multipleNonGreedy: true,
			options: ["publish", "yank", "read"],
			default: ["publish"],
			description: "what it may do",
		}),
		days: Flags.integer({ default: 90, min: 1, max: 3650, description: "days until it expires" }),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RegistryTokenCreate);
		const { createToken } = await import("#cli/ops/registry.ts");
		return createToken(this.context(flags), {
			data: flags.data,
			label: flags.label,
			names: flags.names,
			verbs: flags.verb,
			days: flags.days,
		});
	}
}
