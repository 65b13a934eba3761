import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class LockdownEnable extends KfnCommand {
	static override summary = "Let in only BPF programs that are signed or loaded by kfn; at first, only watch";
	static override flags = {
		audit: Flags.boolean({
			default: false,
			exclusive: ["enforce"],
			description: "record what would be denied, and deny nothing (the default)",
		}),
		enforce: Flags.boolean({ default: false, description: "deny it" }),
		allow: Flags.string({
			multiple: true,
			default: [],
			description: "also let in what this executable loads as root, such as /usr/lib/systemd/systemd",
		}),
		disallow: Flags.string({
			multiple: true,
			default: [],
			description: "no longer let in what this executable loads",
		}),
		now: Flags.boolean({ default: false, description: "enforce without having watched in this boot" }),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(LockdownEnable);
		const { lockdownEnable } = await import("#cli/ops/lockdown.ts");
		const { enforce, allow, disallow, now } = flags;
		return lockdownEnable(this.context(flags), {
			mode: enforce ? "enforce" : "audit",
			...{ allow, disallow, now },
		});
	}
}
