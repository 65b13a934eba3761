import { KfnCommand, type Output } from "../command.ts";

export class Doctor extends KfnCommand {
	static override summary = "Look for what is wrong with this host, and say what to do about it";
	static override description = "Changes nothing. Exits with 1 where something is wrong.";

	protected async perform(): Promise<Output> {
		const { flags } = await this.parse(Doctor);
		const { doctor } = await import("#cli/ops/doctor.ts");
		return doctor(this.context(flags));
	}
}
