// What was revoked, as far as this host has ever verified: var/lib/kfn/recall/revoked.json (docs/formats/recall.md). Refuses to
// forget: an entry only ever changes from revoked to withdrawn, and a file that cannot be read revokes everything.
import { isNamedBy, type OpenedRevocation, type Revocation } from "#signing/revocation.ts";
import { HostError } from "../errors.ts";
import type { Host } from "../host.ts";
import { time } from "../plan.ts";
import { exact, listOf, matching, oneOf, orNull, text } from "../shape.ts";
import { readIfThere } from "../state-file.ts";
import type { RecallLock } from "./lock.ts";

/** One revocation with the moment at which this host verified it. */
export interface RevokedRecord extends Revocation {
	/** When the host first knew that it is in this state. */
	readonly seen: string;
}

/** What can be revoked: the planned function's bundle, or what an index lists. */
export interface Revocable {
	readonly name: string;
	readonly tag: string;
	readonly manifestSha256: string;
}

const digest = matching(/^[0-9a-f]{64}$/, "64 lowercase hex digits");
const shape = exact({
	schema: oneOf("kfn.revoked/1"),
	revocations: listOf(
		exact({
			id: matching(/^[0-9a-f]{32}$/, "32 lowercase hex digits"),
			name: text,
			state: oneOf("revoked", "withdrawn"),
			tags: listOf(matching(/^kfn1:[0-9a-f]{64}$/, "a tag"), 32),
			builds: listOf(exact({ version: text, manifestSha256: digest }), 32),
			advisory: orNull(text),
			reason: text,
			issued: text,
			seen: time,
		}),
		65_536,
	),
});

/** All that this host knows, withdrawn ones too, by id. HOST_REVOKED_MALFORMED where the file is anything else than kfn writes. */
export function readRevoked(host: Host): readonly RevokedRecord[] {
	const path = host.layout.revoked;
	const bytes = readIfThere(path);
	if (bytes === undefined) return [];
	try {
		const { revocations } = shape(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), "");
		if (serializeRevoked(revocations).equals(bytes)) return revocations;
		throw new Error("it is not in the spelling that kfn writes");
	} catch (cause) {
		throw new HostError("HOST_REVOKED_MALFORMED", `${path}: ${(cause as Error).message}`, {
			hint: "kfn recall check --relearn writes it anew from the registry; nothing is activated before",
			details: { path },
			cause,
		});
	}
}

/** The one spelling, which the loader reads, too. */
export function serializeRevoked(revocations: readonly RevokedRecord[]): Buffer {
	const sorted = revocations
		.toSorted((a, b) => (a.id < b.id ? -1 : 1))
		.map(({ id, name, state, tags, builds, advisory, reason, issued, seen }) => ({
			...{ id, name, state, tags },
			builds: builds.map(({ version, manifestSha256 }) => ({ version, manifestSha256 })),
			...{ advisory, reason, issued, seen },
		}));
	return Buffer.from(`${JSON.stringify({ schema: "kfn.revoked/1", revocations: sorted }, null, 2)}\n`);
}

/** Lays what was verified over what is known; the same records where nothing is new. A withdrawal is the last word on its id. */
export function mergeRevoked(
	known: readonly RevokedRecord[],
	verified: readonly OpenedRevocation[],
	seen: string,
): readonly RevokedRecord[] {
	const byId = new Map(known.map((record) => [`${record.name} ${record.id}`, record]));
	let changed = false;
	for (const revocation of verified) {
		const key = `${revocation.name} ${revocation.id}`;
		const before = byId.get(key);
		if (before !== undefined && (before.state === "withdrawn" || revocation.state === "revoked")) continue;
		byId.set(key, { ...revocation, seen });
		changed = true;
	}
	return changed ? [...byId.values()] : known;
}

/** Writes the file durably where it says something else; the lock is that of the recall, not the host's. */
export function writeRevoked({ host }: RecallLock, revocations: readonly RevokedRecord[]): boolean {
	const { durable, layout } = host;
	const bytes = serializeRevoked(revocations);
	if (readIfThere(layout.revoked)?.equals(bytes)) return false;
	durable.makeFolder(layout.recall);
	durable.writeFile(layout.revoked, bytes);
	return true;
}

/** The revocation in force that names it; undefined where none does. */
export function revokedBy(records: readonly RevokedRecord[], what: Revocable): RevokedRecord | undefined {
	return records.find((record) => record.state === "revoked" && isNamedBy(record, what));
}

/** What can be revoked of a planned function. */
export function revocable(entry: {
	readonly bundle: { readonly name: string; readonly manifestSha256: string };
	readonly tag: string;
}): Revocable {
	return { name: entry.bundle.name, tag: entry.tag, manifestSha256: entry.bundle.manifestSha256 };
}

/** HOST_REVOKED where a function is revoked, HOST_REVOKED_MALFORMED where nobody can tell. */
export function demandNotRevoked(
	host: Host,
	functions: readonly (Parameters<typeof revocable>[0] & { readonly bundle: { readonly version: string } })[],
): void {
	if (functions.length === 0) return;
	const records = readRevoked(host);
	for (const entry of functions) {
		const found = revokedBy(records, revocable(entry));
		if (found === undefined) continue;
		const { name, version } = entry.bundle;
		throw new HostError("HOST_REVOKED", `${name} ${version} is revoked: ${found.reason}`, {
			hint: "take a version that is not; no flag of this host activates a revoked one",
			details: { name, version, tag: entry.tag, revocation: found.id, issued: found.issued },
		});
	}
}
