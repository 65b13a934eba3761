import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { dataFlag, pubFlag, signAtOnceFlag } from "../../flags.ts";

export class RegistryInit extends KfnCommand {
	static override summary = "Begin a registry's trust: online keys, and drafts of root 1 and targets 1";
	static override flags = {
		data: dataFlag(),
		"root-key": pubFlag({ description: "public key of a root signer", required: true }),
		"root-threshold": Flags.integer({
			min: 1,
			description: "how many of them must sign; without it, more than half",
		}),
		"targets-key": pubFlag({ description: "public key of a targets signer", required: true }),
		"targets-threshold": Flags.integer({
			min: 1,
			description: "how many of them must sign; without it, more than half",
		}),
		bins: Flags.integer({
			default: 256,
			min: 2,
			max: 1024,
			description: "hashed bins, a power of two; fixed",
		}),
		"root-days": Flags.integer({ min: 1, max: 3650, default: 365, description: "days until root expires" }),
		"targets-days": Flags.integer({
			min: 1,
			max: 3650,
			default: 180,
			description: "days until targets expires",
		}),
		origin: Flags.string({
			description: "the log's name, such as registry.example/log; made of its key if absent",
		}),
		key: signAtOnceFlag(),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RegistryInit);
		const { registryInit } = await import("#cli/ops/ceremony.ts");
		return registryInit(this.context(flags), {
			data: flags.data,
			rootKeys: flags["root-key"],
			rootThreshold: flags["root-threshold"],
			targetsKeys: flags["targets-key"],
			targetsThreshold: flags["targets-threshold"],
			bins: flags.bins,
			rootDays: flags["root-days"],
			targetsDays: flags["targets-days"],
			origin: flags.origin,
			keys: flags.key,
		});
	}
}
