import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { keyFlag, registryFlag } from "../../flags.ts";

export class LogWitness extends KfnCommand {
	static override summary = "Watch another registry's log: verify its newest checkpoint, and cosign it";
	static override flags = {
		name: Flags.string({
			required: true,
			description: "the witness's name, such as registry.example/witness",
		}),
		key: keyFlag({ description: "the witness's secret key file, used for nothing else" }),
		state: Flags.string({
			required: true,
			description: "folder that remembers what was cosigned",
			helpValue: "DIR",
		}),
		"log-key": Flags.string({
			description: "the log's verifier key, as kfn/registry.json has it; without it, print the witness's own",
			helpValue: "VKEY",
		}),
		registry: registryFlag(),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(LogWitness);
		const { witnessLog } = await import("#cli/ops/witness.ts");
		return witnessLog(this.context(flags), {
			name: flags.name,
			keys: flags.key,
			logKey: flags["log-key"],
			state: flags.state,
			registry: flags.registry,
		});
	}
}
