import { Args } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";

export class KeyShow extends KfnCommand {
	static override summary = "Show the id and the public key of a key file";
	static override args = {
		file: Args.file({ required: true, description: "secret or public key file" }),
	};

	protected async perform(): Promise<Output> {
		const { args, flags } = await this.parse(KeyShow);
		const { showKey } = await import("#cli/ops/key.ts");
		return showKey(this.context(flags), { file: args.file });
	}
}
