import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class KernelKeyGenerate extends KfnCommand {
	static override summary =
		"Make an RSA key, encrypted with a passphrase, whose signatures the kernel can check";
	static override flags = {
		out: Flags.string({
			char: "o",
			default: "kernel.key",
			description: "secret key file in PEM; its self-signed certificate goes to FILE.der",
		}),
		subject: Flags.string({
			default: "kfn kernel key",
			description: "common name in the certificate, which the kernel and the firmware show",
		}),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(KernelKeyGenerate);
		const { generateKernelSigner } = await import("#cli/ops/kernel-key.ts");
		return generateKernelSigner(this.context(flags), { out: flags.out, subject: flags.subject });
	}
}
