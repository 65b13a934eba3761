import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";

export class Verify extends KfnCommand {
	static override summary =
		"Check signatures and every digest: of a bundle file, or of all that this host holds";
	static override args = {
		bundle: Args.file({ description: ".kfn file; without it, the host's store and generations" }),
	};
	static override flags = {
		rebuild: Flags.boolean({ description: "also compile the shipped source again and compare" }),
		proof: Flags.string({
			description: "also check, offline, that the registry logged it: a .tlog-proof file (kfn log prove)",
			helpValue: "FILE",
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Verify);
		const { verify } = await import("#cli/ops/verify.ts");
		return verify(this.context(flags), {
			file: args.bundle,
			rebuild: flags.rebuild,
			proof: flags.proof,
		});
	}
}
