import { Flags } from "@oclif/core";
import { KfnCommand, type Output } from "../../command.ts";
import { dataFlag, roleFlag, signAtOnceFlag } from "../../flags.ts";

export class RootRotate extends KfnCommand {
	static override summary = "Draft a root or targets that expires later, or with new online keys";
	static override flags = {
		data: dataFlag(),
		role: roleFlag({ description: "whose expiry; root unless given", exclusive: ["online"] }),
		online: Flags.boolean({
			description: "new keys for bins, snapshot and timestamp: root and targets both",
		}),
		days: Flags.integer({
			min: 1,
			max: 3650,
			description: "days until it expires; 365 for root, 180 for targets",
		}),
		key: signAtOnceFlag(),
	};

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(RootRotate);
		const { rootRotate } = await import("#cli/ops/ceremony.ts");
		return rootRotate(this.context(flags), {
			data: flags.data,
			role: flags.role ?? "root",
			online: flags.online,
			days: flags.days,
			keys: flags.key,
		});
	}
}
