// The mark of a generation: that it was good on a kernel, or is bad, and which one was good last. Refuses to call one
// good that nobody marked: a mark that cannot be read is no mark.
import { linkTarget, statOf } from "./durable.ts";
import { currentGeneration, generationNumbers, planOrUndefined } from "./generations.ts";
import type { Host } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { time } from "./plan.ts";
import { count, exact, listOf, oneOf, orNull, text } from "./shape.ts";
import { readJson, unlessDamaged } from "./state-file.ts";

const POINTER = /^generations\/([1-9]\d{0,8})$/;
/** A host that boots many kernels keeps the last ones. */
const KERNEL_LIMIT = 16;

const counters = exact({
	function: text,
	scope: text,
	/** Runs and their nanoseconds in the window; null where the kernel would not count them. */
	runs: orNull(count),
	nanoseconds: orNull(count),
	/** What the function answered, by what the hook makes of it; null where it could not be counted. */
	verdicts: orNull(exact({ ok: count, drop: count, continue: count, other: count })),
	/** Why answers could not be counted. */
	reason: orNull(text),
});

const healthShape = exact({
	schema: oneOf("kfn.health/1"),
	generation: count,
	state: oneOf("good", "bad"),
	at: time,
	/** Releases (`uname -r`) on which it was good, the latest last. */
	kernels: listOf(text, KERNEL_LIMIT),
	/** Who said so: the window of a change, a boot, or the operator, who may also do without a window. */
	by: oneOf("window", "boot", "operator"),
	reason: text,
	counters: listOf(counters),
});

/** `generations/<n>/health.json` (docs/formats/host-state.md). */
export type Health = Readonly<ReturnType<typeof healthShape>>;

/** What one function did while it was watched. */
export type Counters = Readonly<ReturnType<typeof counters>>;

export interface HealthMark {
	readonly by: Health["by"];
	readonly reason: string;
	readonly counters?: readonly Counters[] | undefined;
}

/** The generation that `good` points to; 0 where there is no such link, or it leads to no generation. */
export function goodGeneration(host: Host): number {
	const target = linkTarget(host.layout.good) ?? "";
	const n = Number(POINTER.exec(target)?.[1] ?? 0);
	return n !== 0 && statOf(host.layout.plan(n)) !== undefined ? n : 0;
}

/** A generation's mark; undefined where it has none, or one that cannot be read. */
export function readHealth(host: Host, n: number): Health | undefined {
	if (n === 0) return undefined;
	const health = unlessDamaged(() => readJson(host.layout.health(n), healthShape));
	return health?.generation === n ? health : undefined;
}

/** Marks a generation good on the running kernel, and makes it what a boot falls back to. */
export function markGood(lock: HostLock, n: number, mark: HealthMark): void {
	recordGood(lock, n, mark);
	pointGood(lock, n);
}

/** Only writes the mark: before a commit, so that a power cut after it finds the mark, and before it changes nothing. */
export function recordGood(lock: HostLock, n: number, mark: HealthMark): void {
	const { kernel } = lock.host;
	const before = readHealth(lock.host, n)?.kernels ?? [];
	const kernels = [...before.filter((release) => release !== kernel), kernel].slice(-KERNEL_LIMIT);
	write(lock, n, "good", kernels, mark);
}

/** Marks a generation bad; where it was the good one, the latest other that was marked good takes its place. */
export function markBad(lock: HostLock, n: number, mark: HealthMark): void {
	write(lock, n, "bad", readHealth(lock.host, n)?.kernels ?? [], mark);
	settleGood(lock);
}

/**
 * Makes `good` point to the current generation if that one is marked good, leaves it where it points to another that is,
 * and else lets it fall to the latest committed one that is, not in `without`; none: the link goes. Can be repeated.
 */
export function settleGood(lock: HostLock, without: readonly number[] = []): void {
	const { host } = lock;
	const isGood = (n: number) => !without.includes(n) && readHealth(host, n)?.state === "good";
	const current = currentGeneration(host);
	const now = goodGeneration(host);
	if (isGood(current)) pointGood(lock, current);
	else if (!isGood(now) || now > current) {
		pointGood(
			lock,
			generationNumbers(host).findLast(
				(n) => n <= current && planOrUndefined(host, n) !== undefined && isGood(n),
			) ?? 0,
		);
	}
}

function pointGood(lock: HostLock, n: number): void {
	const { durable, layout } = lock.host;
	const target = n === 0 ? undefined : `generations/${n}`;
	if (linkTarget(layout.good) === target) return;
	if (target === undefined) durable.removeFile(layout.good);
	else durable.swapLink(layout.good, target);
}

function write(
	lock: HostLock,
	n: number,
	state: Health["state"],
	kernels: readonly string[],
	{ by, reason, counters: counted = [] }: HealthMark,
): void {
	const health: Health = {
		schema: "kfn.health/1",
		generation: n,
		state,
		at: lock.host.now().toISOString(),
		kernels: [...kernels],
		by,
		reason,
		counters: [...counted],
	};
	lock.host.durable.writeFile(lock.host.layout.health(n), `${JSON.stringify(health, null, 2)}\n`);
}
