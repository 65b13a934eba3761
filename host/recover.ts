// Takes a host that a kill, a power cut or a failure left in the middle of a change back to its current generation.
// Refuses to finish the interrupted change: until `current` moved, the old generation is the truth; after, the new one is.
import { join } from "node:path";
import { isTemporary, statOf } from "./durable.ts";
import { codeOf } from "./errors.ts";
import {
	currentGeneration,
	generationNumbers,
	listFolder,
	readPlan,
	removeGeneration,
} from "./generations.ts";
import { settleGood } from "./health.ts";
import type { Host, OnStep } from "./host.ts";
import { dropJournal, type Journal, readJournal, writeJournal } from "./journal.ts";
import { leftWarnings } from "./left.ts";
import type { ApplyAnswer } from "./loader-answers.ts";
import type { HostLock } from "./lock.ts";
import { tryLog } from "./log.ts";
import { applyNarrowed } from "./offload/narrow.ts";
import { retreat, settle, takeOutMismatched } from "./offload/settle.ts";
import { goneOf } from "./places.ts";
import { keyOf, type Plan, type PlanFunction } from "./plan.ts";
import { storedDigests } from "./store.ts";
import { isLiveScratch } from "./trust-state/scratch.ts";

/** What of a plan can run now, and what cannot because its namespace is gone. */
export interface Runnable {
	readonly plan: Plan;
	readonly gone: readonly PlanFunction[];
}

/** What recovery found and did. */
export interface Recovery {
	/** Whether an interrupted change was found and taken back (or, after its commit, completed). */
	readonly recovered: boolean;
	readonly warnings: readonly string[];
}

/**
 * Recovers if a change was interrupted, and removes what an interrupted one left behind. Runs first in every changing
 * command.
 *
 * A function that can no longer be proved or attached stays as it is, running or not, and is a warning: it must not block
 * the way back of the others. Where the current plan itself cannot be read, nothing is undone and the note of the
 * interrupted change stays, so that a rollback can leave that generation behind. Throws what the loader reports where
 * it can do nothing at all (no privilege, no bpffs); then the next command tries again.
 */
export async function recover(lock: HostLock, onStep?: OnStep): Promise<Recovery> {
	const { host } = lock;
	const journal = interruptedChange(host);
	if (journal === undefined) {
		settleGood(lock);
		sweep(lock);
		return { recovered: false, warnings: await retreat(lock, attachAgain) };
	}
	const current = currentGeneration(host);
	onStep?.({ step: "recover", detail: `re-establishing generation ${current}` });
	const wanted = readOrExplain(host, current);
	if (typeof wanted === "string") {
		sweep(lock);
		return { recovered: false, warnings: [wanted] };
	}
	const { plan } = await runnable(host, wanted, new Set());
	await takeOutMismatched(lock, plan, "an interrupted change was taken back");
	const applied = await applyNarrowed(lock, plan, plan.functions);
	sweep(lock);
	// A kill between the commit and its mark: the change stands, and what its check found is on disk.
	settleGood(lock);
	dropJournal(lock);
	const entry = { event: "recovered", from: journal.from, to: current, reason: journal.command } as const;
	const told = [...leftWarnings(applied), ...tryLog(lock, entry)];
	const { warnings } = await settle(lock, attachAgain);
	return { recovered: true, warnings: [...told, ...warnings] };
}

/** What a device was taken out of runs in the kernel again. */
const attachAgain = (lock: HostLock) => reapply(lock, new Set());

/** The plan, or why there is none to go back to. */
function readOrExplain(host: Host, generation: number): Plan | string {
	try {
		return readPlan(host, generation);
	} catch (error) {
		if (codeOf(error) !== "HOST_PLAN_MALFORMED" && codeOf(error) !== "HOST_NO_GENERATION") throw error;
		return `an interrupted change could not be undone: ${(error as Error).message}`;
	}
}

/**
 * Makes the kernel run the current generation again, after something other than kfn changed it; throws what the loader
 * reports of `required`. What else fails stays as it is.
 */
export async function reapply(lock: HostLock, required: ReadonlySet<string>): Promise<ApplyAnswer> {
	const current = currentGeneration(lock.host);
	const { plan } = await runnable(lock.host, readPlan(lock.host, current), required);
	writeJournal(lock, { from: current, to: current });
	const others = plan.functions.filter((entry) => !required.has(keyOf(entry)));
	const answer = await applyNarrowed(lock, plan, others);
	dropJournal(lock);
	return answer;
}

/**
 * Leaves out what cannot run because its namespace or device is gone, unless it is in `required`: a container that ended must
 * neither block the host's other functions nor the way back. Status reports what is left out as drift.
 */
export async function runnable(host: Host, plan: Plan, required: ReadonlySet<string>): Promise<Runnable> {
	const missing = await goneOf(host, plan.functions);
	const gone = plan.functions.filter((entry) => !required.has(keyOf(entry)) && missing.has(keyOf(entry)));
	return { plan: { ...plan, functions: plan.functions.filter((entry) => !gone.includes(entry)) }, gone };
}

/** Removes unfinished generations, files of interrupted writes and store entries that no generation needs. */
export function sweep(lock: HostLock): void {
	const { durable, layout } = lock.host;
	for (const name of listFolder(layout.tmp)) {
		if (!isLiveScratch(name)) durable.removeTree(join(layout.tmp, name));
	}
	for (const name of listFolder(layout.state)) {
		if (isTemporary(name)) durable.removeFile(join(layout.state, name));
	}
	const current = currentGeneration(lock.host);
	// `current` only ever moves to a higher number: what is above it was never committed.
	for (const n of generationNumbers(lock.host)) {
		const halfRemoved = n < current && statOf(layout.plan(n)) === undefined;
		if (n > current || halfRemoved) removeGeneration(lock, n);
	}
	sweepStore(lock);
}

function sweepStore(lock: HostLock): void {
	const stored = storedDigests(lock.host);
	if (stored.length === 0) return;
	const needed = neededDigests(lock.host);
	if (needed === undefined) return;
	for (const sha256 of stored) {
		if (!needed.has(sha256)) lock.host.durable.removeTree(lock.host.layout.storeEntry(sha256));
	}
}

/** Store entries that some generation names; undefined where a plan cannot be read: then none may go. */
function neededDigests(host: Host): Set<string> | undefined {
	try {
		const plans = generationNumbers(host).map((n) => readPlan(host, n));
		return new Set(plans.flatMap((plan) => plan.functions.map((entry) => entry.bundle.sha256)));
	} catch (error) {
		if (codeOf(error) === "HOST_PLAN_MALFORMED" || codeOf(error) === "HOST_NO_GENERATION") return undefined;
		throw error;
	}
}

/** The journal; one that cannot be read still says that a change was under way. */
function interruptedChange(host: Host): Pick<Journal, "from" | "to" | "command"> | undefined {
	try {
		return readJournal(host);
	} catch (error) {
		if (codeOf(error) !== "HOST_STATE_MALFORMED") throw error;
		const current = currentGeneration(host);
		return { from: current, to: current, command: "unknown: the journal was damaged" };
	}
}
