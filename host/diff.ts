// What differs between two generations, down to source lines and instructions. Takes no lock and asks no kernel; refuses to
// show a byte of the store that is not the manifest's.
import { type BundleDiff, type BundleFiles, diffBundles } from "./bundle-diff.ts";
import { HostError } from "./errors.ts";
import { currentGeneration, generationNumbers, noGeneration, readPlan } from "./generations.ts";
import type { Host } from "./host.ts";
import type { Plan, PlanFunction } from "./plan.ts";
import { changesBetween, type FunctionChange } from "./plan-changes.ts";
import { openStored, readStoredFile } from "./store.ts";

/** Two bundles of which one took the other's place, however many scopes that was in. */
export interface BundlePair {
	readonly bundle: string;
	readonly from: string;
	readonly to: string;
	readonly fromTag: string;
	readonly toTag: string;
	/** Null where the store cannot say; `unknown` says why. */
	readonly diff: BundleDiff | null;
	readonly unknown: { readonly code: string; readonly message: string } | null;
}

/** `kfn diff --json` (docs/formats/history.md). */
export interface DiffReport {
	readonly from: number;
	readonly to: number;
	readonly functions: readonly FunctionChange[];
	readonly bundles: readonly BundlePair[];
}

export interface DiffRequest {
	/** The one before `to` unless given; 0 is "nothing is active". */
	readonly from?: number | undefined;
	/** The current one unless given. */
	readonly to?: number | undefined;
}

/** HOST_NO_GENERATION, HOST_PLAN_MALFORMED; what the store lacks is part of the answer. */
export function diffGenerations(host: Host, request: DiffRequest = {}): DiffReport {
	const current = currentGeneration(host);
	const to = request.to ?? current;
	const from = request.from ?? generationNumbers(host).findLast((n) => n < to) ?? 0;
	// What lies above the current one was never committed.
	for (const n of [from, to]) if (n > current) throw noGeneration(host, n);
	const [before, after] = [readPlan(host, from), readPlan(host, to)];
	const functions = changesBetween(before, after);
	return { from, to, functions, bundles: pairsOf(host, functions, before, after) };
}

function pairsOf(host: Host, functions: readonly FunctionChange[], before: Plan, after: Plan): BundlePair[] {
	const pairs = new Map<string, BundlePair>();
	for (const { from, to } of functions) {
		if (from === null || to === null || from.sha256 === to.sha256) continue;
		const key = `${from.sha256} ${to.sha256}`;
		if (pairs.has(key)) continue;
		const [old, now] = [entryOf(before, from.sha256), entryOf(after, to.sha256)];
		const versions = { bundle: to.bundle, from: from.version, to: to.version };
		pairs.set(key, { ...versions, fromTag: from.tag, toTag: to.tag, ...tryDiff(host, old, now) });
	}
	return [...pairs.values()];
}

function entryOf(plan: Plan, sha256: string): PlanFunction {
	return plan.functions.find(({ bundle }) => bundle.sha256 === sha256)!;
}

function tryDiff(
	host: Host,
	before: PlanFunction,
	after: PlanFunction,
): Pick<BundlePair, "diff" | "unknown"> {
	try {
		return { diff: diffBundles(filesOf(host, before), filesOf(host, after)), unknown: null };
	} catch (error) {
		if (!(error instanceof HostError)) throw error;
		return { diff: null, unknown: { code: error.code, message: error.message } };
	}
}

/** What the store has of a plan's bundle, checked against its manifest. */
export function filesOf(host: Host, { bundle }: Pick<PlanFunction, "bundle">): BundleFiles {
	const stored = openStored(host, bundle.sha256, bundle.manifestSha256);
	return { manifest: stored.manifest, read: (path) => readStoredFile(host, stored, path) };
}
