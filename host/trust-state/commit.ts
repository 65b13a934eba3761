// The one way in which verified metadata becomes what a host trusts: a whole new set, then `current`, then the mark. Refuses
// to commit over a set that it was not derived from, and to do any of it without the host's lock.
import { join } from "node:path";
import { readTrustedRoot, stillCounts } from "#signing/tuf/trusted-root.ts";
import type { VerifiedRole } from "#signing/tuf/verified-roles.ts";
import { linkTarget, statOf } from "../durable.ts";
import { listFolder } from "../generations.ts";
import type { HostLock } from "../lock.ts";
import { logOfFiles } from "./checkpoint-file.ts";
import { EMPTY_MARK, readMark, type TrustMark, writeMark } from "./mark.ts";
import {
	currentSetName,
	roleFile,
	SET_RECORD,
	type SetRecord,
	serializeSet,
	setNumber,
	type TrustSet,
} from "./set.ts";

export interface NextSet {
	readonly record: SetRecord;
	/** By file name; without `set.json`. */
	readonly files: ReadonlyMap<string, Uint8Array>;
	/** Whether the record's `at` is a time at which everything was verified and nothing had expired. */
	readonly movesTime: boolean;
}

/**
 * Makes `next` what the host trusts; undefined where `current` is no longer `base`: somebody else committed meanwhile.
 *
 * A kill or a power cut leaves the old set or the new one, each whole. Between `current` and the mark, the mark is behind:
 * that is sound, for it only ever says "at least". Before the first set an empty mark is written, so that a set without a
 * mark is always damage. HOST_DISK_FULL and the like leave the old set.
 */
export function commitSet(lock: HostLock, base: TrustSet | undefined, next: NextSet): TrustSet | undefined {
	const { host } = lock;
	if (currentSetName(host) !== base?.name) return undefined;
	const mark = readMark(host);
	if (base !== undefined && isSame(base, next)) {
		writeMark(lock, raised(mark, base.name, next));
		return base;
	}
	return install(lock, (base?.number ?? 0) + 1, next, mark);
}

/** Commits over whatever lies there, damaged or not: for `kfn trust recover`, which has held `next` against `mark`. */
export function replaceSet(lock: HostLock, next: NextSet, mark: TrustMark): TrustSet {
	const { host } = lock;
	const found = [
		...listFolder(host.layout.trustSets),
		mark.set ?? "",
		linkTarget(host.layout.trustCurrent)?.slice(5) ?? "",
	];
	const highest = Math.max(0, ...found.map((name) => setNumber(name) ?? 0));
	// A file or a folder in the link's place would stop the rename.
	if (linkTarget(host.layout.trustCurrent) === undefined) host.durable.removeTree(host.layout.trustCurrent);
	return install(lock, highest + 1, next, mark);
}

function install(lock: HostLock, number: number, next: NextSet, mark: TrustMark): TrustSet {
	const { durable, layout } = lock.host;
	const { name, bytes } = serializeSet(number, next.record, next.files);
	if (statOf(layout.trustMark) === undefined) writeMark(lock, EMPTY_MARK);
	durable.makeFolder(layout.trustSets);
	durable.makeFolder(layout.tmp);
	// Of a commit that did not get as far as `current`.
	durable.removeTree(layout.trustSet(name));
	durable.importFolder(layout.trustSet(name), layout.tmp, new Map([[SET_RECORD, bytes], ...next.files]));
	durable.swapLink(layout.trustCurrent, `sets/${name}`);
	writeMark(lock, raised(mark, name, next));
	prune(lock, number);
	return { name, number, record: next.record, files: next.files };
}

/** The set before stays for readers that were about to open it; all others go. */
function prune(lock: HostLock, current: number): void {
	const { durable, layout } = lock.host;
	for (const name of listFolder(layout.trustSets)) {
		const number = setNumber(name) ?? 0;
		if (number !== current && number !== current - 1) durable.removeTree(join(layout.trustSets, name));
	}
}

function raised(mark: TrustMark, set: string, { record, files, movesTime }: NextSet): TrustMark {
	const later = movesTime && (mark.time === null || mark.time < record.at);
	const time = later ? record.at : mark.time;
	const roles = markedRoles(record.roles);
	return { time, set, roles, log: logOfFiles(files), bundles: stillSeen(mark, files) };
}

/**
 * The marks of the bundles; without what indexes listed, where the root (`files`) has given the snapshot other keys since: an index
 * hangs on the snapshot, so that a thief of the online keys can list any version, and nobody could ever list it again (TUF
 * 1.0.34 §5.3.11). A floor stays: what was installed, its publisher had signed.
 */
function stillSeen(
	{ roles, bundles }: TrustMark,
	files: ReadonlyMap<string, Uint8Array>,
): TrustMark["bundles"] {
	const root = readTrustedRoot(files.get(roleFile("root"))!);
	if (roles.snapshot === undefined || stillCounts(root, "snapshot", roles.snapshot.signers)) return bundles;
	return Object.fromEntries(
		Object.entries(bundles).map(([name, { floor }]) => [name, { floor, seen: null }]),
	);
}

/** What the mark keeps of a set's roles. */
export function markedRoles(roles: SetRecord["roles"]): TrustMark["roles"] {
	const marked = Object.entries(roles).map(([role, { version, signers }]) => [role, { version, signers }]);
	return Object.fromEntries(marked);
}

function isSame(base: TrustSet, next: NextSet): boolean {
	const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
	const { complete, pin, stale, roles } = next.record;
	const before = {
		complete: base.record.complete,
		pin: base.record.pin,
		stale: base.record.stale,
		roles: base.record.roles,
	};
	if (!same(before, { complete, pin, stale, roles }) || base.files.size !== next.files.size) return false;
	return [...next.files].every(([name, bytes]) => {
		const old = base.files.get(name);
		return old !== undefined && Buffer.compare(old, bytes) === 0;
	});
}

/** What a set writes down of the roles, in one order. */
export function recordedRoles(roles: ReadonlyMap<string, VerifiedRole>): SetRecord["roles"] {
	const order = ["root", "timestamp", "snapshot", "targets"];
	return Object.fromEntries(order.flatMap((role) => (roles.has(role) ? [[role, roles.get(role)!]] : [])));
}
