// The generations of a host, each with what it changed. Takes no lock and asks no kernel; refuses to guess what a generation
// replaced where the one before it is gone.
import { currentGeneration, generationNumbers, planOrUndefined } from "./generations.ts";
import { goodGeneration, type Health, readHealth } from "./health.ts";
import type { Host } from "./host.ts";
import { emptyPlan, type Plan } from "./plan.ts";
import { changesBetween, type FunctionChange } from "./plan-changes.ts";

export interface HistoryEntry {
	readonly generation: number;
	/** Null, like the next, where its plan cannot be read. */
	readonly created: string | null;
	readonly reason: string | null;
	readonly current: boolean;
	/** It is the one that was good last, which a boot falls back to. */
	readonly good: boolean;
	/** What it was marked (host-state.md, health.json); null where nobody marked it. */
	readonly mark: Health["state"] | null;
	/** Against the generation before it; null where either plan is gone or cannot be read. */
	readonly changes: readonly FunctionChange[] | null;
}

/** `kfn history --json` (docs/formats/history.md). */
export interface HistoryReport {
	/** The current one; 0: nothing is active. */
	readonly generation: number;
	/** Newest first. */
	readonly generations: readonly HistoryEntry[];
}

/** Reads every generation up to the current one; what lies above was never committed. */
export function history(host: Host): HistoryReport {
	const current = currentGeneration(host);
	const good = goodGeneration(host);
	const numbers = generationNumbers(host).filter((n) => n <= current);
	const plans = new Map(numbers.map((n) => [n, planOrUndefined(host, n)]));
	plans.set(0, emptyPlan());
	const generations = numbers.map((n) => {
		const { created, reason, changes } = contentOf(plans.get(n), plans.get(n - 1));
		const marks = { current: n === current, good: n === good, mark: readHealth(host, n)?.state ?? null };
		return { generation: n, created, reason, ...marks, changes };
	});
	return { generation: current, generations: generations.reverse() };
}

function contentOf(
	plan: Plan | undefined,
	before: Plan | undefined,
): Pick<HistoryEntry, "created" | "reason" | "changes"> {
	const { created = null, reason = null } = plan ?? {};
	const known = plan !== undefined && before !== undefined;
	return { created, reason, changes: known ? changesBetween(before, plan) : null };
}
