import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { dataFlag, roleFlag, signAtOnceFlag } from "../../flags.ts";

export class RootRemoveSigner extends KfnCommand {
	static override summary = "Draft a root with one signer less";
	static override flags = {
		data: dataFlag(),
		role: roleFlag({ required: true }),
		"key-file": Flags.file({ description: "the signer's public key file" }),
		keyid: Flags.string({ description: "or the key's tuf id", exclusive: ["key-file"], helpValue: "ID" }),
		threshold: Flags.integer({ min: 1, description: "how many of the role's keys must sign from then on" }),
		key: signAtOnceFlag(),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RootRemoveSigner);
		const { rootRemoveSigner } = await import("#cli/ops/ceremony.ts");
		return rootRemoveSigner(this.context(flags), {
			data: flags.data,
			role: flags.role,
			keyFile: flags["key-file"],
			keyid: flags.keyid,
			threshold: flags.threshold,
			keys: flags.key,
		});
	}
}
