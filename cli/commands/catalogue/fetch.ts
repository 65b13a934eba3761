import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { registryFlag } from "../../flags.ts";

export class CatalogueFetch extends KfnCommand {
	static override summary =
		"Take a registry's catalogues of this machine's network devices, or of the vendors named";
	static override strict = false;
	static override args = {
		hardware: Args.string({ description: "BUS:VENDOR…, such as pci:8086" }),
	};
	static override flags = { registry: registryFlag() };

	protected async perform(): Promise<Output> {
		const { argv, flags } = await this.parse(CatalogueFetch);
		const { fetchCatalogues } = await import("#cli/ops/catalogue.ts");
		return fetchCatalogues(this.context(flags), {
			hardware: argv as string[],
			registry: flags.registry,
		});
	}
}
