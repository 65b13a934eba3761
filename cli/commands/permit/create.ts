import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { keyFlag, registryFlag } from "../../flags.ts";

export class PermitCreate extends KfnCommand {
	static override summary = "Permit hosts to leave bad versions of a bundle for an older one";
	static override args = {
		name: Args.string({ required: true, description: "the bundle's name" }),
	};
	static override flags = {
		from: Flags.string({
			required: true,
			helpValue: "RANGE",
			description: "versions that may be left, with both ends: 1.0.1, '>=1.0.1 <=1.0.3'",
		}),
		to: Flags.string({
			required: true,
			helpValue: "VERSION|FILE",
			description: "the version to go back to: one that the registry lists, or a .kfn file",
		}),
		reason: Flags.string({ required: true, helpValue: "TEXT", description: "shown wherever it is used" }),
		days: Flags.integer({ default: 14, min: 1, max: 90, description: "how long it counts" }),
		key: keyFlag({ description: "key file; without one, the permit is not signed yet" }),
		out: Flags.string({ char: "o", required: true, helpValue: "FILE", description: "the permit's file" }),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(PermitCreate);
		const { createPermit } = await import("#cli/ops/permit.ts");
		return createPermit(this.context(flags), {
			name: args.name,
			from: flags.from,
			to: flags.to,
			reason: flags.reason,
			days: flags.days,
			keys: flags.key,
			out: flags.out,
			registry: flags.registry,
		});
	}
}
