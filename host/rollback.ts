// Goes back to what an earlier generation ran, in one command. Refuses to rewrite history: going back makes a new generation with the old one's functions.
import { change } from "./change.ts";
import { HostError } from "./errors.ts";
import {
	currentGeneration,
	generationNumbers,
	noGeneration,
	planOrUndefined,
	readPlan,
} from "./generations.ts";
import { readHealth } from "./health.ts";
import type { Host, OnStep } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { sameFunctions } from "./plan.ts";
import { readRevoked, revocable, revokedBy } from "./recall/revoked.ts";
import { recover } from "./recover.ts";
import { type ChangeReport, unchangedReport } from "./report.ts";

export interface RollbackRequest {
	/** The generation to go back to; unless given, the latest earlier one that is not bad, holds nothing revoked, and differs. 0: nothing active. */
	to?: number | undefined;
	onStep?: OnStep | undefined;
}

/**
 * Makes a new generation whose functions equal those of an older one.
 *
 * Every bundle is verified, loaded and tried again, as at its installation: one whose publisher is no longer trusted
 * does not come back, nor does what was revoked (HOST_REVOKED). HOST_NO_GENERATION where the one asked for does not exist.
 */
export async function rollback(lock: HostLock, request: RollbackRequest = {}): Promise<ChangeReport> {
	const { host } = lock;
	const recovery = await recover(lock, request.onStep);
	const current = currentGeneration(host);
	const to = request.to ?? previousOf(host, current);
	if (to > current || !Number.isSafeInteger(to) || to < 0) throw noGeneration(host, to);
	const target = readPlan(host, to);
	const reason = `rollback to generation ${to}`;
	// Rolling back must work where the current plan cannot be read.
	const now = planOrUndefined(host, current);
	if (now !== undefined && sameFunctions(now.functions, target.functions)) {
		return unchangedReport(now, reason, recovery);
	}
	return change(lock, {
		reason,
		functions: target.functions,
		bundles: [],
		required: new Set(),
		recovery,
		onStep: request.onStep,
	});
}

/** The latest earlier generation that is not marked bad, holds nothing revoked and had other functions than the current one. */
function previousOf(host: Host, current: number): number {
	const now = planOrUndefined(host, current);
	const revoked = readRevoked(host);
	const isOther = (n: number) => {
		const plan = planOrUndefined(host, n);
		if (plan === undefined || (now !== undefined && sameFunctions(plan.functions, now.functions)))
			return false;
		return !plan.functions.some((entry) => revokedBy(revoked, revocable(entry)) !== undefined);
	};
	const earlier = generationNumbers(host).filter((n) => n < current);
	const previous = earlier.findLast((n) => readHealth(host, n)?.state !== "bad" && isOther(n));
	if (previous !== undefined) return previous;
	// Before the first generation there was nothing: that is generation 0.
	if (current === 1) return 0;
	throw new HostError("HOST_NO_GENERATION", "there is no generation to go back to", {
		hint:
			current === 0
				? "nothing was ever installed here"
				: "earlier ones were removed, are bad, hold what was revoked, or ran the same; kfn rollback 0 deactivates everything",
		details: { current, earlier },
	});
}
