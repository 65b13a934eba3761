// What `kfn doctor` asks of recalls: whether one could be withheld from this host, and whether something revoked is still active. Changes nothing.
import { readCurrentPlan } from "../generations.ts";
import { recallStatus } from "../recall/list-state.ts";
import { readRevoked, revocable, revokedBy } from "../recall/revoked.ts";
import { type Check, type Finding, fromError, ok, problem, unknown } from "./check.ts";

export const recallCheck: Check = {
	name: "recall",
	look(host) {
		try {
			const records = readRevoked(host);
			const active = readCurrentPlan(host).functions.filter(
				(entry) => revokedBy(records, revocable(entry)) !== undefined,
			);
			const found = active.map(({ bundle, scope }) =>
				problem(
					`${bundle.name} ${bundle.version} in ${scope} is revoked and still active`,
					"kfn recall check takes it off",
				),
			);
			return [...found, listFinding(recallStatus(host))];
		} catch (error) {
			return [fromError("problem", error)];
		}
	},
};

function listFinding({ state, checked, expires }: ReturnType<typeof recallStatus>): Finding {
	switch (state) {
		case "none":
			return ok("no registry with a recall list is pinned");
		case "unread":
			return unknown(
				"the registry has a recall list, and this host never read it",
				"kfn recall check reads it; kfn-recall.timer, or cron, every five minutes",
			);
		case "fresh":
			return ok(`the recall list is good until ${expires}, and was last vouched for at ${checked}`);
		default:
			return problem(
				`the recall list expired at ${expires}: a recall may be withheld`,
				"kfn recall check says why it cannot be read; ask the registry's admin where that does not help",
			);
	}
}
