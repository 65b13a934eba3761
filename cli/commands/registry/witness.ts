import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { dataFlag, listFlag, signAtOnceFlag } from "../../flags.ts";

export class RegistryWitness extends KfnCommand {
	static override summary = "Name the witnesses of this registry's log, and how many must have cosigned";
	static override flags = {
		data: dataFlag(),
		add: listFlag({ description: "a witness's verifier key (kfn log witness prints it)", helpValue: "VKEY" }),
		remove: listFlag({ description: "name of a witness", helpValue: "NAME" }),
		quorum: Flags.integer({ min: 0, description: "how many witnesses hosts ask for" }),
		key: signAtOnceFlag(),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RegistryWitness);
		const { registryWitness } = await import("#cli/ops/ceremony.ts");
		return registryWitness(this.context(flags), {
			data: flags.data,
			add: flags.add,
			remove: flags.remove,
			quorum: flags.quorum,
			keys: flags.key,
		});
	}
}
