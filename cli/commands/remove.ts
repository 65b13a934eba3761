import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { healthFlags, scopeFlag } from "../flags.ts";

export class Remove extends KfnCommand {
	static override summary = "Take a function out of the kernel";
	static override args = {
		name: Args.string({ required: true, description: "bundle name" }),
	};
	static override flags = {
		...healthFlags(),
		scope: scopeFlag(),
		purge: Flags.boolean({ description: "also drop its files and its history" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Remove);
		const { remove } = await import("#cli/ops/remove.ts");
		return remove(this.context(flags), { name: args.name, scope: flags.scope, purge: flags.purge });
	}
}
