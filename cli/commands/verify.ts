import { Args, Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";

export class Verify extends KfnCommand {
	static override summary =
		"Check signatures and every digest: of a bundle file, of all that this host holds, or of what the kernel runs";
	static override args = {
		bundle: Args.file({
			description:
				".kfn file; without it, the host's store and generations; with --running, a function or bundle name",
		}),
	};
	static override flags = {
		rebuild: Flags.boolean({ description: "also compile the shipped source again and compare" }),
		running: Flags.boolean({
			description: "load a second copy of what is installed and compare it with what the kernel runs",
			exclusive: ["rebuild", "proof"],
		}),
		scope: Flags.string({
			description: "with --running: only this scope",
			helpValue: "SCOPE",
			dependsOn: ["running"],
		}),
		proof: Flags.string({
			description: "also check, offline, that the registry logged it: a .tlog-proof file (kfn log prove)",
			helpValue: "FILE",
		}),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(Verify);
		if (flags.running) {
			const { verifyRunning } = await import("#cli/ops/verify-running.ts");
			return verifyRunning(this.context(flags), { name: args.bundle, scope: flags.scope });
		}
		const { verify } = await import("#cli/ops/verify.ts");
		return verify(this.context(flags), {
			file: args.bundle,
			rebuild: flags.rebuild,
			proof: flags.proof,
		});
	}
}
