import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class ChannelPublish extends KfnCommand {
	static override summary = "Point a registry's channel, by a signed pointer";
	static override args = {
		file: Args.file({ required: true, description: "the pointer's file, signed" }),
	};
	static override flags = { registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(ChannelPublish);
		const { publishChannel } = await import("#cli/ops/channel.ts");
		return publishChannel(this.context(flags), { file: args.file, registry: flags.registry });
	}
}
