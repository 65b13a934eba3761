import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { healthFlags, permitFlag, registryFlag } from "../flags.ts";

export class Apply extends KfnCommand {
	static override summary = "Make a desired state the host's: all of it, in one change";
	static override description =
		"The state is whole: what it does not name is removed. What is active and fits stays; applied again, it changes nothing.";
	static override examples = [
		"<%= config.bin %> apply state.json --dry-run",
		"<%= config.bin %> apply state.json",
	];
	static override args = {
		state: Args.string({ required: true, description: "file of the form kfn.state/1" }),
	};
	static override flags = {
		...healthFlags(),
		"dry-run": Flags.boolean({ description: "say what would be done, and do nothing" }),
		registry: registryFlag(),
		permit: permitFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Apply);
		const { apply } = await import("#cli/ops/apply.ts");
		return apply(this.context(flags), {
			file: args.state,
			dryRun: flags["dry-run"],
			registry: flags.registry,
			permit: flags.permit,
		});
	}
}
