// The high-water mark: the highest that this host has verified or installed, kept apart from the files that it was verified
// from and with a checksum over itself. Refuses a mark that is not exactly as it was written.
import { createHash } from "node:crypto";
import type { TopLevelRole } from "#signing/tuf/metadata.ts";
import { statOf } from "../durable.ts";
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { time } from "../plan.ts";
import { count, exact, listOf, mapOf, matching, oneOf, orNull, text } from "../shape.ts";
import { readIfThere } from "../state-file.ts";
import { damaged } from "./damage.ts";

export interface MarkedRole {
	readonly version: number;
	/** Key ids that signed it: a root under which they no longer suffice voids the version (TUF 1.0.34 §5.3.11). */
	readonly signers: readonly string[];
}

export interface MarkedBundle {
	/** The highest version that was ever installed through the registry. */
	readonly floor: string | null;
	/** The highest version that the registry's index has ever listed to this host. */
	readonly seen: string | null;
}

/** The tree that a checkpoint stated. */
export interface MarkedLog {
	readonly origin: string;
	/** Entries. */
	readonly size: number;
	/** 32 bytes in base64. */
	readonly root: string;
}

export interface TrustMark {
	/** The latest time at which metadata was verified that had not expired; null before the first. */
	readonly time: string | null;
	/** Name of the set that was committed last; null before the first. */
	readonly set: string | null;
	readonly roles: Readonly<Partial<Record<TopLevelRole, MarkedRole>>>;
	/** The registry's log as this host has seen it last; null before the first, and where the registry keeps none. */
	readonly log: MarkedLog | null;
	/** By bundle name. */
	readonly bundles: Readonly<Record<string, MarkedBundle>>;
}

export const EMPTY_MARK: TrustMark = { time: null, set: null, roles: {}, log: null, bundles: {} };

const role = exact({ version: count, signers: listOf(text, 1024) });
const version = orNull(matching(/^[0-9A-Za-z.+-]{1,64}$/, "a version"));
const shape = exact({
	schema: oneOf("kfn.trust-mark/1"),
	time: orNull(time),
	set: orNull(text),
	roles: exact({}, { root: role, timestamp: role, snapshot: role, targets: role }),
	log: orNull(
		exact({ origin: text, size: count, root: matching(/^[A-Za-z0-9+/]{43}=$/, "the base64 of 32 bytes") }),
	),
	bundles: mapOf(exact({ floor: version, seen: version })),
	sha256: text,
});

/**
 * The mark; {@link EMPTY_MARK} on a host that has verified nothing yet. HOST_TRUST_DAMAGED where it is missing although
 * something was verified, or is not what kfn wrote.
 */
export function readMark(host: Host): TrustMark {
	const { trustMark: path, trustCurrent } = host.layout;
	const bytes = readIfThere(path);
	if (bytes !== undefined) return parseMark(bytes, path);
	if (statOf(trustCurrent) === undefined) return EMPTY_MARK;
	throw damaged(path, "is missing, although this host has verified metadata");
}

/** As {@link readMark}, of bytes; `path` is for messages. */
export function parseMark(bytes: Uint8Array, path: string): TrustMark {
	try {
		const {
			schema: _schema,
			sha256: _sha256,
			...mark
		} = shape(JSON.parse(Buffer.from(bytes).toString("utf8")), "");
		if (serializeMark(mark).equals(bytes)) return mark;
	} catch (cause) {
		throw damaged(path, "cannot be read", cause);
	}
	throw damaged(path, "does not have its own checksum");
}

/** The one spelling; `sha256` is over the same text with that field empty. */
export function serializeMark({ time, set, roles, log, bundles }: TrustMark): Buffer {
	const sorted = Object.fromEntries(Object.entries(bundles).sort(([a], [b]) => (a < b ? -1 : 1)));
	const { root, timestamp, snapshot, targets } = roles;
	const mark = {
		schema: "kfn.trust-mark/1",
		time,
		set,
		roles: { root, timestamp, snapshot, targets },
		log,
		bundles: sorted,
	};
	const write = (sha256: string) => `${JSON.stringify({ ...mark, sha256 }, null, 2)}\n`;
	return Buffer.from(write(createHash("sha256").update(write("")).digest("hex")));
}

/** Replaces the mark, durably; writes nothing where it says that already. */
export function writeMark(lock: HostLock, mark: TrustMark): void {
	const { durable, layout } = lock.host;
	const bytes = serializeMark(mark);
	if (readIfThere(layout.trustMark)?.equals(bytes)) return;
	// One that could not be read again would stop every later command.
	parseMark(bytes, layout.trustMark);
	durable.makeFolder(layout.state);
	durable.writeFile(layout.trustMark, bytes);
}

/** The host's time as trust counts it: a clock that was set back does not bring expired metadata back. */
export function effectiveTime(host: Host, mark: TrustMark): Date {
	const now = host.now();
	const marked = mark.time === null ? 0 : Date.parse(mark.time);
	return now.getTime() >= marked ? now : new Date(marked);
}
