import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";
import { dataFlag, signAtOnceFlag } from "../../../flags.ts";

export class RegistryPublisherRemove extends KfnCommand {
	static override summary =
		"Take a publisher's key, or a whole name, out of the map; what it signed counts no more";
	static override args = {
		name: Args.string({ required: true, description: "the pattern, as list shows it" }),
	};
	static override flags = {
		data: dataFlag(),
		publisher: Flags.file({
			description: "public key file; without it, all keys of the name go",
			helpValue: "PUB",
		}),
		threshold: Flags.integer({ min: 1, description: "how many of the keys that stay must have signed" }),
		key: signAtOnceFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RegistryPublisherRemove);
		const { publisherRemove } = await import("#cli/ops/registry-publisher.ts");
		return publisherRemove(this.context(flags), {
			data: flags.data,
			name: args.name,
			publisher: flags.publisher,
			threshold: flags.threshold,
			keys: flags.key,
		});
	}
}
