import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class KernelKeyRemove extends KfnCommand {
	static override summary = "Take an enrolled certificate back";
	static override args = {
		keyid: Args.string({ required: true, description: "its key id; kfn kernel-key status lists them" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(KernelKeyRemove);
		const { kernelKeyRemove } = await import("#cli/ops/kernel-key.ts");
		return kernelKeyRemove(this.context(flags), { keyid: args.keyid });
	}
}
