import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { channelFlag, healthFlags, permitFlag, registryFlag, scopeFlag } from "../flags.ts";

export class Upgrade extends KfnCommand {
	static override summary = "Swap to a newer version on the live host, or by permit to an older one";
	static override args = {
		bundle: Args.string({
			description: "NAME[@RANGE] or a .kfn file; without it, everything that is installed",
		}),
	};
	static override flags = {
		...healthFlags(),
		scope: scopeFlag(),
		channel: channelFlag(),
		registry: registryFlag(),
		permit: permitFlag(),
		"allow-permit": Flags.boolean({
			description:
				"leave a version that was yanked for an older one, where the registry lists a permit for it",
			exclusive: ["security"],
		}),
		security: Flags.boolean({
			description: "only what closes an open advisory, by the smallest step; says what stays open, and why",
			exclusive: ["permit"],
		}),
		parameters: Flags.boolean({
			description: "with --security: set parameters, too, where an advisory asks for them",
			dependsOn: ["security"],
		}),
		"dry-run": Flags.boolean({
			description: "with --security: change nothing, show what would change in source and instructions",
			dependsOn: ["security"],
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Upgrade);
		const { upgrade, upgradeForSecurity } = await import("#cli/ops/upgrade.ts");
		if (flags.security)
			return upgradeForSecurity(this.context(flags), {
				name: args.bundle,
				scope: flags.scope,
				registry: flags.registry,
				maySet: flags.parameters === true,
				dryRun: flags["dry-run"] === true,
			});
		return upgrade(this.context(flags), {
			request: args.bundle,
			scope: flags.scope,
			registry: flags.registry,
			permit: flags.permit,
			allowPermit: flags["allow-permit"],
		});
	}
}
