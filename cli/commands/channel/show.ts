import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class ChannelShow extends KfnCommand {
	static override summary = "Show where a name's channels point, or what a pointer's file claims, unverified";
	static override args = {
		subject: Args.string({ required: true, description: "a bundle's name, or a file" }),
	};
	static override flags = { registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(ChannelShow);
		const { showChannel } = await import("#cli/ops/channel.ts");
		return showChannel(this.context(flags), { subject: args.subject, registry: flags.registry });
	}
}
