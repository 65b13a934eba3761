import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { registryFlag } from "../flags.ts";

export class Publish extends KfnCommand {
	static override summary = "Publish a bundle to a registry";
	static override args = {
		bundle: Args.file({ required: true, description: ".kfn file, signed" }),
	};
	static override flags = {
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Publish);
		const { publish } = await import("#cli/ops/publish.ts");
		return publish(this.context(flags), { file: args.bundle, registry: flags.registry });
	}
}
