import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class KeyGenerate extends KfnCommand {
	static override summary = "Make a signing key, encrypted with a passphrase";
	static override flags = {
		out: Flags.string({
			char: "o",
			default: "publisher.key",
			description: "secret key file; the public key goes to FILE.pub",
		}),
		comment: Flags.string({ default: "", description: "a note kept beside the public key" }),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(KeyGenerate);
		const { generateKey } = await import("#cli/ops/key.ts");
		return generateKey(this.context(flags), { out: flags.out, comment: flags.comment });
	}
}
