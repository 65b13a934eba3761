import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { keyFlag } from "../flags.ts";

export class Sign extends KfnCommand {
	static override summary = "Add a signature to a bundle";
	static override args = {
		bundle: Args.file({ required: true, description: ".kfn file; rewritten in place" }),
	};
	static override flags = {
		key: keyFlag({ description: "key file; the environment's KFN_SIGNING_KEY is used when none is given" }),
		kernel: Flags.string({
			description: "also sign for the kernel, or only so where no --key is given: RSA key in PEM",
			helpValue: "FILE",
		}),
		certificate: Flags.string({
			description: "the kernel key's X.509 certificate, in DER or PEM; default: the key's FILE.der",
			helpValue: "FILE",
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Sign);
		const { sign } = await import("#cli/ops/sign.ts");
		return sign(this.context(flags), {
			file: args.bundle,
			keys: flags.key,
			kernelKey: flags.kernel,
			certificate: flags.certificate,
		});
	}
}
