// How far down a bundle's version may go on this host: never below the highest that came through the registry, and never to
// an index that has forgotten one it showed. Refuses by the mark alone, so that neither registry nor mirror can lower it.
import semver from "semver";
import type { Bundle } from "#bundle/bundle.ts";
import { SigningError } from "#signing/errors.ts";
import { readCurrentPlan } from "../generations.ts";
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import type { ChangeReport } from "../report.ts";
import { type MarkedBundle, readMark, type TrustMark, writeMark } from "./mark.ts";

/**
 * The floor of a name where `version` is below it: a version that is left as if it were active, so that only a permit lets it
 * be (permit.ts). A local rollback to a generation that ran here does not ask.
 */
export function floorAbove(host: Host, name: string, version: string): string | undefined {
	const { floor } = markOf(readMark(host), name);
	return floor !== null && semver.gt(floor, version) ? floor : undefined;
}

/** TRUST_ROLLBACK where an index lists neither the highest version it has ever listed here nor the one installed from it. */
export function demandStillListed(host: Host, name: string, versions: readonly string[]): void {
	const { floor, seen } = markOf(readMark(host), name);
	const forgotten = [seen, floor].find((version) => version !== null && !versions.includes(version));
	if (forgotten === undefined || forgotten === null) return;
	throw new SigningError("TRUST_ROLLBACK", `the registry's index no longer lists ${name} ${forgotten}`, {
		hint: "a version is hidden by a yank, never removed: the index was put back to an old state; ask the registry's admin",
		details: { name, version: forgotten },
	});
}

/** Remembers the highest version that an index lists. */
export function noteSeen(lock: HostLock, name: string, versions: readonly string[]): void {
	const highest = semver.rsort([...versions])[0];
	if (highest !== undefined) raise(lock, name, "seen", highest);
}

/** Whether {@link noteSeen} would write anything, so that nobody takes the lock in vain. */
export function isNewlySeen(host: Host, name: string, versions: readonly string[]): boolean {
	const highest = semver.rsort([...versions])[0];
	const { seen } = markOf(readMark(host), name);
	return highest !== undefined && (seen === null || semver.compare(highest, seen) > 0);
}

/** Remembers that a version which came through the registry was installed. */
export function raiseFloor(lock: HostLock, { name, version }: { name: string; version: string }): void {
	raise(lock, name, "floor", version);
}

/**
 * Takes the floor down to what a permit has led to, or to the highest that is still active in another scope. Only once the step is
 * committed: an interrupted one leaves a floor that is too high, which a later step up does not notice.
 */
function lowerFloor(lock: HostLock, { name, version }: { name: string; version: string }): void {
	const mark = readMark(lock.host);
	const before = markOf(mark, name);
	const active = readCurrentPlan(lock.host).functions.filter(({ bundle }) => bundle.name === name);
	const floor = semver.rsort([version, ...active.map(({ bundle }) => bundle.version)])[0] ?? version;
	if (before.floor === null || semver.compare(before.floor, floor) <= 0) return;
	writeMark(lock, { ...mark, bundles: { ...mark.bundles, [name]: { ...before, floor } } });
}

/**
 * The report of a change that is committed, with the floor lowered where a permit led down, and raised where it came through
 * the registry. A floor that could not be written is a warning: what is active holds a later upgrade up, too.
 */
export function floored(
	lock: HostLock,
	{ raisesFloor = false }: { readonly raisesFloor?: boolean | undefined },
	{ manifest }: Bundle,
	report: ChangeReport,
): ChangeReport {
	try {
		if (report.permit !== null) lowerFloor(lock, manifest);
		if (raisesFloor) raiseFloor(lock, manifest);
		return report;
	} catch (error) {
		const warning = `this host does not remember ${manifest.version} as its floor: ${(error as Error).message}`;
		return { ...report, warnings: [...report.warnings, warning] };
	}
}

function raise(lock: HostLock, name: string, what: keyof MarkedBundle, version: string): void {
	const mark = readMark(lock.host);
	const before = markOf(mark, name);
	const old = before[what];
	if (old !== null && semver.compare(version, old) <= 0) return;
	writeMark(lock, { ...mark, bundles: { ...mark.bundles, [name]: { ...before, [what]: version } } });
}

/** What is remembered of a name, which may be one that every object has a property of. */
function markOf({ bundles }: TrustMark, name: string): MarkedBundle {
	return (Object.hasOwn(bundles, name) ? bundles[name] : undefined) ?? { floor: null, seen: null };
}
