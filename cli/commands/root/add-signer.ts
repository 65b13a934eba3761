import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { dataFlag, roleFlag, signAtOnceFlag } from "../../flags.ts";

export class RootAddSigner extends KfnCommand {
	static override summary =
		"Draft a root with one more signer, or with another threshold for one that signs already";
	static override flags = {
		data: dataFlag(),
		role: roleFlag({ required: true }),
		"key-file": Flags.file({ required: true, description: "the signer's public key file" }),
		threshold: Flags.integer({ min: 1, description: "how many of the role's keys must sign from then on" }),
		key: signAtOnceFlag(),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RootAddSigner);
		const { rootAddSigner } = await import("#cli/ops/ceremony.ts");
		return rootAddSigner(this.context(flags), {
			data: flags.data,
			role: flags.role,
			keyFile: flags["key-file"],
			threshold: flags.threshold,
			keys: flags.key,
		});
	}
}
