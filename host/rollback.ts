// Goes back to what an earlier generation ran, in one command. Refuses to rewrite history: going back makes a new generation with the old one's functions.
import { change } from "./change.ts";
import { codeOf, HostError } from "./errors.ts";
import { currentGeneration, generationNumbers, noGeneration, readPlan } from "./generations.ts";
import type { Host, OnStep } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { emptyPlan, type Plan, sameFunctions } from "./plan.ts";
import { recover } from "./recover.ts";
import { type ChangeReport, unchangedReport } from "./report.ts";

export interface RollbackRequest {
	/** The generation to go back to; the one before the current unless given. 0: nothing active. */
	to?: number | undefined;
	onStep?: OnStep | undefined;
}

/**
 * Makes a new generation whose functions equal those of an older one.
 *
 * Every bundle is verified, loaded and tried again, as at its installation: one whose publisher is no longer trusted
 * does not come back. HOST_NO_GENERATION where the one asked for does not exist.
 */
export async function rollback(lock: HostLock, request: RollbackRequest = {}): Promise<ChangeReport> {
	const { host } = lock;
	const recovery = await recover(lock, request.onStep);
	const current = currentGeneration(host);
	const to = request.to ?? previousOf(host, current);
	if (to > current || !Number.isSafeInteger(to) || to < 0) throw noGeneration(host, to);
	const target = readPlan(host, to);
	const reason = `rollback to generation ${to}`;
	const now = readOrUndefined(host, current);
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

function previousOf(host: Host, current: number): number {
	const earlier = generationNumbers(host).filter((n) => n < current);
	const previous = earlier.at(-1);
	if (previous !== undefined) return previous;
	// Before the first generation there was nothing: that is generation 0.
	if (current === 1) return 0;
	throw new HostError("HOST_NO_GENERATION", "there is no generation to go back to", {
		hint:
			current === 0
				? "nothing was ever installed here"
				: "earlier ones were purged; --to 0 deactivates everything",
		details: { current },
	});
}

/** The current plan where it can be read: rolling back must work when it cannot. */
function readOrUndefined(host: Host, n: number): Plan | undefined {
	if (n === 0) return emptyPlan();
	try {
		return readPlan(host, n);
	} catch (error) {
		if (codeOf(error) === "HOST_PLAN_MALFORMED" || codeOf(error) === "HOST_NO_GENERATION") return undefined;
		throw error;
	}
}
