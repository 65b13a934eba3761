import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class KernelKeyEnroll extends KfnCommand {
	static override summary = "Give the kernel a certificate to check bundles' signatures by, at each load";
	static override args = {
		certificate: Args.file({ required: true, description: "X.509 certificate in DER or PEM" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(KernelKeyEnroll);
		const { kernelKeyEnroll } = await import("#cli/ops/kernel-key.ts");
		return kernelKeyEnroll(this.context(flags), { file: args.certificate });
	}
}
