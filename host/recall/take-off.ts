// Takes what was revoked off this host: each function goes to the last good version that is not revoked, or back to the kernel's
// own code. Refuses to leave a revoked one because its replacement cannot be had.

import { type Publishers, publisherFor } from "#signing/publishers.ts";
import { change } from "../change.ts";
import { codeOf } from "../errors.ts";
import { generationNumbers, planOrUndefined, readCurrentPlan } from "../generations.ts";
import { readHealth } from "../health.ts";
import type { Host, OnStep } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { keyOf, mergeFunctions, type PlanFunction } from "../plan.ts";
import { type Recovery, recover } from "../recover.ts";
import type { ChangeReport } from "../report.ts";
import { storedManifest } from "../store.ts";
import { publishersOfSet } from "../trust-state/documents.ts";
import { readCurrentSet } from "../trust-state/state.ts";
import { recallStatus } from "./list-state.ts";
import { type RevokedRecord, readRevoked, revocable, revokedBy } from "./revoked.ts";

/** One function that was taken off. */
export interface TakenOff {
	readonly function: string;
	readonly scope: string;
	readonly bundle: string;
	readonly version: string;
	readonly tag: string;
	/** The version that took its place; null: the kernel's own code did. */
	readonly to: string | null;
	/** Why; null where policy stopped it because the recall list expired. */
	readonly revocation: Pick<RevokedRecord, "id" | "reason" | "advisory" | "issued" | "seen"> | null;
	/** When it was off. */
	readonly off: string;
	/** From the revocation's issue, by its publisher's clock, until it was off; null without one. */
	readonly seconds: number | null;
}

export interface TakeOff {
	readonly taken: readonly TakenOff[];
	/** Undefined where nothing had to be taken off. */
	readonly report: ChangeReport | undefined;
	readonly warnings: readonly string[];
}

/** Takes off what is revoked, and what the policy for an expired list stops. Errors of `change`; the next run tries again. */
export async function takeOff(lock: HostLock, onStep?: OnStep): Promise<TakeOff> {
	const { host } = lock;
	const recovery = await recover(lock, onStep);
	const records = readRevoked(host);
	const { functions } = readCurrentPlan(host);
	const stopped = stoppedOf(host, functions);
	const going = functions.flatMap((entry) => {
		const revocation = revokedBy(records, revocable(entry));
		return revocation !== undefined || stopped.has(entry) ? [{ entry, revocation }] : [];
	});
	if (going.length === 0) return { taken: [], report: undefined, warnings: recovery.warnings };
	const next = new Map(
		going.map(({ entry, revocation }) => [
			keyOf(entry),
			revocation === undefined ? null : lastGood(host, entry, records, stopped.size > 0),
		]),
	);
	const { report, replaced, warnings } = await changeTo(lock, { going, next, functions, recovery, onStep });
	const off = host.now();
	return {
		report,
		warnings,
		taken: going.map(({ entry, revocation }) =>
			takenOff(entry, revocation, replaced.get(keyOf(entry)) ?? null, off),
		),
	};
}

interface Going {
	readonly going: readonly { readonly entry: PlanFunction; readonly revocation: RevokedRecord | undefined }[];
	readonly next: ReadonlyMap<string, PlanFunction | null>;
	readonly functions: readonly PlanFunction[];
	readonly recovery: Recovery;
	readonly onStep: OnStep | undefined;
}

async function changeTo(
	lock: HostLock,
	{ going, next, functions, recovery, onStep }: Going,
): Promise<{ report: ChangeReport; replaced: Going["next"]; warnings: readonly string[] }> {
	const reason = reasonOf(going);
	const to = (replaced: Going["next"]) =>
		change(lock, {
			reason,
			functions: mergeFunctions(functions, replaced),
			bundles: [],
			required: new Set(),
			// Nothing of it is taken back because something else does not look well.
			unwatched: true,
			recovery,
			onStep,
		});
	try {
		return { report: await to(next), replaced: next, warnings: recovery.warnings };
	} catch (error) {
		if ([...next.values()].every((entry) => entry === null) || codeOf(error) === "") throw error;
		const none = new Map([...next.keys()].map((key) => [key, null]));
		const warning = `the last good version could not take its place: ${(error as Error).message} [${codeOf(error)}]`;
		return { report: await to(none), replaced: none, warnings: [...recovery.warnings, warning] };
	}
}

/** The latest earlier generation's that was good, is whole in the store, and is not revoked; a stop lets none of the registry's in. */
function lastGood(
	host: Host,
	entry: PlanFunction,
	records: readonly RevokedRecord[],
	stopped: boolean,
): PlanFunction | null {
	if (stopped) return null;
	for (const n of generationNumbers(host).reverse()) {
		if (readHealth(host, n)?.state !== "good") continue;
		const found = planOrUndefined(host, n)?.functions.find((candidate) => keyOf(candidate) === keyOf(entry));
		if (found === undefined || revokedBy(records, revocable(found)) !== undefined) continue;
		const { sha256, manifestSha256 } = found.bundle;
		if (storedManifest(host, sha256, manifestSha256) !== undefined) return found;
	}
	return null;
}

/** What the registry could have revoked: the functions of names that its own map lets somebody publish. */
function stoppedOf(host: Host, functions: readonly PlanFunction[]): ReadonlySet<PlanFunction> {
	if (recallStatus(host).state !== "stopped") return new Set();
	const set = readCurrentSet(host);
	const map = set === undefined ? undefined : publishersOfSet(set);
	if (map === undefined) return new Set();
	return new Set(functions.filter(({ bundle }) => hasPublisher(map, bundle.name)));
}

function hasPublisher(map: Publishers, name: string): boolean {
	try {
		return publisherFor(map, name) !== undefined;
	} catch (error) {
		if (codeOf(error) !== "PUBLISHERS_NO_MATCH") throw error;
		return false;
	}
}

function reasonOf(going: Going["going"]): string {
	const [first] = going;
	if (first?.revocation === undefined) return "recall list expired: stopped by policy";
	const named = new Set(going.map(({ entry }) => `${entry.bundle.name} ${entry.bundle.version}`));
	return `recall ${[...named].join(", ")}: ${first.revocation.reason}`;
}

function takenOff(
	entry: PlanFunction,
	revocation: RevokedRecord | undefined,
	to: PlanFunction | null,
	off: Date,
): TakenOff {
	const { function: name, scope, bundle, tag } = entry;
	const { id, reason, advisory, issued, seen } = revocation ?? {};
	return {
		...{ function: name, scope, bundle: bundle.name, version: bundle.version, tag },
		to: to?.bundle.version ?? null,
		revocation:
			revocation === undefined
				? null
				: { id: id!, reason: reason!, advisory: advisory!, issued: issued!, seen: seen! },
		off: off.toISOString(),
		seconds:
			revocation === undefined ? null : Math.max(0, (off.getTime() - Date.parse(revocation.issued)) / 1000),
	};
}
