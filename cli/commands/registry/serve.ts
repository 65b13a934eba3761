import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { dataFlag } from "../../flags.ts";

export class RegistryServe extends KfnCommand {
	static override summary = "Run a registry";
	static override flags = {
		data: dataFlag(),
		host: Flags.string({ default: "127.0.0.1", description: "address to listen on" }),
		port: Flags.integer({
			default: 7420,
			min: 0,
			max: 65535,
			description: "port to listen on; 0 takes a free one",
		}),
		private: Flags.boolean({ description: "reads need a token too" }),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RegistryServe);
		const { serveRegistry } = await import("#cli/ops/registry.ts");
		return serveRegistry(this.context(flags), {
			data: flags.data,
			host: flags.host,
			port: flags.port,
			private: flags.private,
			json: flags.json,
		});
	}
}
