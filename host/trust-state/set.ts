// One verified state of the registry as it lies on disk: sets/<n>-<sha256 of set.json>/, where the name authenticates
// set.json and set.json the rest. Refuses a set of which any byte is not the one that was committed.
import { join } from "node:path";
import { sha256 } from "#bundle/digest.ts";
import { TOP_LEVEL_ROLES, type TopLevelRole } from "#signing/tuf/metadata.ts";
import { linkTarget, statOf } from "../durable.ts";
import type { Host } from "../host.ts";
import { time } from "../plan.ts";
import { count, exact, flag, listOf, mapOf, matching, oneOf, orNull, text } from "../shape.ts";
import { readIfThere } from "../state-file.ts";
import { damaged } from "./damage.ts";
import type { PinnedBy } from "./pin.ts";

export const SET_RECORD = "set.json";

export interface SetRole {
	readonly version: number;
	readonly expires: string;
	readonly signers: readonly string[];
}

/** Which guarantee rests on policy instead of the registry, and since when. */
export interface Staleness {
	/** When the first of them expired. */
	readonly since: string;
	readonly roles: readonly string[];
}

/** `set.json`, without the digests of its files. */
export interface SetRecord {
	/** The reference time of the walk that verified it. */
	readonly at: string;
	/** The pin with which its chain of roots began. */
	readonly pin: { readonly sha256: string; readonly by: PinnedBy };
	/** Whether the walk reached its end; one that was refused on the way keeps what it had verified. */
	readonly complete: boolean;
	readonly roles: Readonly<Partial<Record<TopLevelRole, SetRole>>>;
	readonly stale: Staleness | null;
}

export interface TrustSet {
	/** `<n>-<sha256>`, also its folder's name. */
	readonly name: string;
	readonly number: number;
	readonly record: SetRecord;
	/** By file name, as they were committed; `set.json` is not among them. */
	readonly files: ReadonlyMap<string, Uint8Array>;
}

const hex = matching(/^[0-9a-f]{64}$/, "64 lowercase hex digits");
const role = exact({ version: count, expires: text, signers: listOf(text, 1024) });
const shape = exact({
	schema: oneOf("kfn.trust-set/1"),
	at: time,
	pin: exact({ sha256: hex, by: oneOf("operator", "package") }),
	complete: flag,
	roles: exact({}, { root: role, timestamp: role, snapshot: role, targets: role }),
	stale: orNull(exact({ since: text, roles: listOf(text) })),
	files: mapOf(exact({ sha256: hex, size: count })),
});

/** The number in a set's name; undefined where it is no such name. */
export function setNumber(name: string): number | undefined {
	const [, n] = /^([1-9]\d{0,14})-[0-9a-f]{64}$/.exec(name) ?? [];
	return n === undefined ? undefined : Number(n);
}

/** The set's `set.json` and its name. */
export function serializeSet(
	number: number,
	record: SetRecord,
	files: ReadonlyMap<string, Uint8Array>,
): { name: string; bytes: Uint8Array } {
	const listed = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
	const digests = listed.map(([name, bytes]) => [name, { sha256: sha256(bytes), size: bytes.byteLength }]);
	const { at, pin, complete, roles, stale } = record;
	const document = {
		schema: "kfn.trust-set/1",
		at,
		pin,
		complete,
		roles,
		stale,
		files: Object.fromEntries(digests),
	};
	const bytes = Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
	return { name: `${number}-${sha256(bytes)}`, bytes };
}

/** Name of the set that `current` points to; undefined where there is none. HOST_TRUST_DAMAGED for any other text. */
export function currentSetName(host: Host): string | undefined {
	const path = host.layout.trustCurrent;
	const target = linkTarget(path);
	if (target === undefined) {
		if (statOf(path) === undefined) return undefined;
		throw damaged(path, "is not a link");
	}
	const name = target.startsWith("sets/") ? target.slice("sets/".length) : "";
	if (setNumber(name) === undefined) throw damaged(path, "does not point to a set");
	return name;
}

/** Reads a set and compares every byte of it with its name. HOST_TRUST_DAMAGED names the offending file. */
export function readSet(host: Host, name: string): TrustSet {
	const folder = host.layout.trustSet(name);
	const path = join(folder, SET_RECORD);
	const bytes = readIfThere(path);
	if (bytes === undefined) throw damaged(path, "is missing");
	if (name !== `${setNumber(name)}-${sha256(bytes)}`)
		throw damaged(path, "is not the one that its folder is named after");
	const { schema: _schema, files: digests, ...record } = parsed(bytes, path);
	const files = new Map(
		Object.entries(digests).map(([file, { sha256: digest }]) => [file, readFile(join(folder, file), digest)]),
	);
	return { name, number: setNumber(name)!, record, files };
}

function readFile(path: string, digest: string): Uint8Array {
	const bytes = readIfThere(path);
	if (bytes === undefined) throw damaged(path, "is missing");
	if (sha256(bytes) !== digest) throw damaged(path, "is not the file that was verified");
	return new Uint8Array(bytes);
}

function parsed(bytes: Uint8Array, path: string): ReturnType<typeof shape> {
	try {
		return shape(JSON.parse(Buffer.from(bytes).toString("utf8")), "");
	} catch (cause) {
		throw damaged(path, "is not in the documented form: another version of kfn wrote it", cause);
	}
}

/** File name of a role's metadata in a set. */
export function roleFile(name: string): string {
	return `${encodeURIComponent(name)}.json`;
}

/** The top-level metadata of a set, by role: what a walk begins with. */
export function rolesOfSet(set: TrustSet): Map<string, Uint8Array> {
	return new Map(
		TOP_LEVEL_ROLES.flatMap((name) => {
			const bytes = set.files.get(roleFile(name));
			return bytes === undefined ? [] : [[name, bytes] as const];
		}),
	);
}

/** Everything in a set that is a role's metadata, delegated roles included, where no document lies beside them. */
export function allRolesOfSet(set: TrustSet): Map<string, Uint8Array> {
	return new Map(
		[...set.files].map(([name, bytes]) => [decodeURIComponent(name.slice(0, -".json".length)), bytes]),
	);
}
