import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class KernelKeyStatus extends KfnCommand {
	static override summary = "Show whether the kernel checks signatures, and by which keys";
	static override args = {
		certificate: Args.file({ description: "also say where this certificate's key is" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(KernelKeyStatus);
		const { kernelKeyStatus } = await import("#cli/ops/kernel-key.ts");
		return kernelKeyStatus(this.context(flags), { file: args.certificate });
	}
}
