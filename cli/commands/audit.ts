import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../command.ts";
import { registryFlag } from "../flags.ts";

export class Audit extends KfnCommand {
	static override summary = "Say which advisories this host is exposed to, and what fixes them";
	static override description =
		"Exits with 1 where something that runs is exposed or cannot be told, with 3 where the registry's word cannot be trusted.";
	static override flags = {
		offline: Flags.boolean({ default: false, description: "ask nobody: judge by what this host remembers" }),
		registry: registryFlag(),
		sarif: Flags.boolean({ default: false, exclusive: ["json"], description: "print a SARIF 2.1.0 log" }),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(Audit);
		const { audit } = await import("#cli/ops/audit.ts");
		return audit(this.context(flags), {
			registry: flags.registry,
			offline: flags.offline,
			sarif: flags.sarif,
		});
	}
}
