// The health window of a change: what the changed functions answer for a while, against what the old ones answered before,
// and the operator's own check. Refuses to judge by what could not be counted.
import { setTimeout as delay } from "node:timers/promises";
import { HostError } from "./errors.ts";
import type { Counters } from "./health.ts";
import { runHealthCheck } from "./health-check.ts";
import type { HealthSettings } from "./health-settings.ts";
import type { Host } from "./host.ts";
import type { MayStay } from "./loader.ts";
import { keyOf } from "./plan.ts";

/** What a window saw; it is only made where it found nothing bad. */
export interface HealthReport {
	readonly seconds: number;
	/** The check that passed. */
	readonly check: readonly string[] | null;
	readonly counters: readonly Counters[];
}

/** Fewer answers say nothing of a share. */
export const ANSWERS_LEAST = 100;
/** Errors are bad only above this share of the answers … */
export const ERRORS_LIMIT = 0.05;
/** … and above so many times the old function's share. */
export const ERRORS_FACTOR = 4;

/**
 * Counts what functions answer from now on, for `seconds` and until `meanwhile` is done.
 *
 * Ends at once where `signal` is aborted. Nothing to watch: only `meanwhile`.
 */
export async function countAnswers(
	host: Host,
	functions: readonly MayStay[],
	seconds: number,
	options: { meanwhile?: () => Promise<void>; signal?: AbortSignal } = {},
): Promise<readonly Counters[]> {
	const { meanwhile = async () => undefined, signal } = options;
	const running = functions.filter(({ scope }) => scope !== "none");
	if (running.length === 0 || seconds === 0) {
		await meanwhile();
		return [];
	}
	const watch = await host.loader.watch(running);
	try {
		await Promise.all([
			delay(seconds * 1000, undefined, signal === undefined ? {} : { signal }),
			meanwhile(),
		]);
		return (await watch.end()).functions.map(
			({ function: name, scope, runs, nanoseconds, verdicts, reason }) => ({
				...{ function: name, scope, runs, nanoseconds, verdicts, reason },
			}),
		);
	} catch (error) {
		watch.kill();
		throw error;
	}
}

/** The old functions' answers; none where they cannot be had: they are only something to compare with. */
export async function baselineOf(
	host: Host,
	functions: readonly MayStay[],
	seconds: number,
	signal: AbortSignal,
): Promise<readonly Counters[]> {
	try {
		return await countAnswers(host, functions, seconds, { signal });
	} catch {
		return [];
	}
}

/**
 * Watches the changed functions of a generation and runs the check; HOST_HEALTH_FAILED where one is bad.
 *
 * The check's traffic is counted, too: it runs while the counters hang. Both end where `signal` is aborted; its reason is thrown.
 */
export async function healthWindow(
	host: Host,
	{ seconds, check }: HealthSettings,
	change: { readonly generation: number; readonly functions: readonly MayStay[] },
	before: readonly Counters[],
	signal: AbortSignal,
): Promise<HealthReport> {
	let failed: HostError | undefined;
	const meanwhile = async () => {
		failed = check && (await runHealthCheck(check, change.generation, signal));
	};
	let counters: readonly Counters[] = [];
	try {
		counters = await countAnswers(host, change.functions, seconds, { meanwhile, signal });
	} catch (error) {
		throw signal.aborted ? signal.reason : error;
	}
	signal.throwIfAborted();
	for (const now of counters) {
		const reason = badness(
			before.find((old) => keyOf(old) === keyOf(now)),
			now,
		);
		if (reason === undefined) continue;
		throw new HostError("HOST_HEALTH_FAILED", `${now.function} in ${now.scope} is not well: ${reason}`, {
			hint: "the change was taken back; --health-window 0 changes without watching",
			details: { generation: change.generation, reason, counters, before },
		});
	}
	if (failed !== undefined) throw failed;
	return { seconds, check: check?.argv ?? null, counters };
}

/** Why a function's answers are bad; undefined where they are not, or where too little was counted to say. */
export function badness(before: Counters | undefined, now: Counters): string | undefined {
	if (now.verdicts === null) return undefined;
	const total = totalOf(now);
	const { other } = now.verdicts;
	if (other > 0) return `${other} of ${total} answers are none that the hook knows`;
	const old = before === undefined ? 0 : totalOf(before);
	if (total < ANSWERS_LEAST || old < ANSWERS_LEAST) return undefined;
	const [share, was] = [now.verdicts.drop / total, (before?.verdicts?.drop ?? 0) / old];
	if (share <= ERRORS_LIMIT || share <= ERRORS_FACTOR * was) return undefined;
	return `${percent(share)} of its answers are errors, where the one before had ${percent(was)}`;
}

function totalOf({ verdicts }: Counters): number {
	return verdicts === null ? 0 : verdicts.ok + verdicts.drop + verdicts.continue + verdicts.other;
}

function percent(share: number): string {
	return `${(share * 100).toFixed(1)} %`;
}
