import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";
import { dataFlag, pubFlag, signAtOnceFlag } from "../../../flags.ts";

export class RegistryPublisherAdd extends KfnCommand {
	static override summary = "Let a publisher's keys publish names through this registry";
	static override args = {
		name: Args.string({ required: true, description: "bundle name, or a prefix and *" }),
	};
	static override flags = {
		data: dataFlag(),
		publisher: pubFlag({ required: true, description: "the publisher's public key file" }),
		threshold: Flags.integer({
			min: 1,
			description: "how many of the name's keys must have signed; 1 for a new name",
		}),
		key: signAtOnceFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RegistryPublisherAdd);
		const { publisherAdd } = await import("#cli/ops/registry-publisher.ts");
		return publisherAdd(this.context(flags), {
			data: flags.data,
			name: args.name,
			publishers: flags.publisher,
			threshold: flags.threshold,
			keys: flags.key,
		});
	}
}
