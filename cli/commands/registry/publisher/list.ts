import { KfnCommand, type Output } from "../../../command.ts";
import { dataFlag } from "../../../flags.ts";

export class RegistryPublisherList extends KfnCommand {
	static override summary = "Show who may publish what through this registry";
	static override flags = { data: dataFlag() };

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RegistryPublisherList);
		const { publisherList } = await import("#cli/ops/registry-publisher.ts");
		return publisherList(this.context(flags), { data: flags.data });
	}
}
