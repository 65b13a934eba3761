import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { keyFlag, registryFlag } from "../flags.ts";

export class Promote extends KfnCommand {
	static override summary = "Point a channel at a version, so that the hosts that follow it take it";
	static override args = {
		bundle: Args.string({ required: true, description: "NAME@VERSION" }),
	};
	static override flags = {
		channel: Flags.option({
			options: ["stable", "candidate"] as const,
			default: "stable" as const,
			description: "candidate: for hosts that try a release first",
		})(),
		key: keyFlag({ description: "key file; the environment's KFN_SIGNING_KEY is used when none is given" }),
		out: Flags.string({
			char: "o",
			helpValue: "FILE",
			description: "write the pointer there, for others to sign (kfn channel sign), and do not publish it",
		}),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Promote);
		const { promote } = await import("#cli/ops/channel.ts");
		const { channel, key: keys, out, registry, ...rest } = flags;
		return promote(this.context(rest), { request: args.bundle, channel, keys, out, registry });
	}
}
