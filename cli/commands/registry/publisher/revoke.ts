import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../../command.ts";
import { dataFlag, listFlag, signAtOnceFlag } from "../../../flags.ts";

export class RegistryPublisherRevoke extends KfnCommand {
	static override summary =
		"Revoke a publisher's key: what it signed is refused, but for the versions that are kept";
	static override args = {
		name: Args.string({ required: true, description: "the pattern, as list shows it" }),
	};
	static override flags = {
		data: dataFlag(),
		publisher: Flags.file({ required: true, description: "public key file", helpValue: "PUB" }),
		reason: Flags.string({ required: true, description: "why; hosts show it to who meets the key" }),
		keep: listFlag({
			description: "version that the key signed and that goes on",
			helpValue: "NAME@VERSION",
		}),
		"keep-all-published": Flags.boolean({
			exclusive: ["keep"],
			description: "for a key that retires and was not stolen: all published versions go on",
		}),
		threshold: Flags.integer({ min: 1, description: "how many of the keys that stay must have signed" }),
		key: signAtOnceFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(RegistryPublisherRevoke);
		const { publisherRevoke } = await import("#cli/ops/registry-publisher.ts");
		return publisherRevoke(this.context(flags), {
			data: flags.data,
			name: args.name,
			publisher: flags.publisher,
			reason: flags.reason,
			keep: flags.keep,
			keepAllPublished: flags["keep-all-published"],
			threshold: flags.threshold,
			keys: flags.key,
		});
	}
}
