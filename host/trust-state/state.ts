// Everything that a host remembers of its registry, read together and held against itself: pin, current set, mark. Refuses a
// memory with a hole in it; what is missing or older than it was is never a fresh start.
import { readTrustedRoot, stillCounts } from "#signing/tuf/trusted-root.ts";
import { codeOf } from "../errors.ts";
import type { Host } from "../host.ts";
import { demandLog } from "./checkpoint-file.ts";
import { damaged, rolledBack } from "./damage.ts";
import { readMark, type TrustMark } from "./mark.ts";
import { findPin, type PinnedRoot, readPin } from "./pin.ts";
import { currentSetName, readSet, rolesOfSet, setNumber, type TrustSet } from "./set.ts";

export interface TrustState {
	readonly pin: PinnedRoot;
	/** Undefined: a root is pinned, and nothing was verified yet. */
	readonly set: TrustSet | undefined;
	readonly mark: TrustMark;
}

const RETRIES = 3;

/** HOST_TRUST_NO_ROOT, HOST_TRUST_DAMAGED, HOST_TRUST_ROLLED_BACK. Takes no lock; safe beside a commit. */
export function readTrustState(host: Host): TrustState {
	for (let attempt = 0; ; attempt++) {
		const before = linkOrDamage(host);
		try {
			return readOnce(host);
		} catch (error) {
			// A commit between two looks may have removed the set that was current at the first.
			if (attempt >= RETRIES || linkOrDamage(host) === before) throw error;
		}
	}
}

/** The set that is current and sound, whatever the pin says; undefined where nothing was verified yet. Errors as above. */
export function readCurrentSet(host: Host): TrustSet | undefined {
	return findPin(host) === undefined && currentSetName(host) === undefined
		? undefined
		: readTrustState(host).set;
}

function readOnce(host: Host): TrustState {
	// The mark first: a commit moves `current` and then the mark, so that this order never sees a mark above its set.
	const mark = readMark(host);
	const name = currentSetName(host);
	if (name === undefined) {
		if (mark.set !== null)
			throw damaged(host.layout.trustCurrent, "is missing, although this host has verified metadata");
		return { pin: readPin(host), set: undefined, mark };
	}
	const pin = pinOfSet(host);
	const set = readSet(host, name);
	demandSamePin(pin, set);
	demandMark(set, mark);
	return { pin, set, mark };
}

function pinOfSet(host: Host): PinnedRoot {
	try {
		return readPin(host);
	} catch (error) {
		if (codeOf(error) !== "HOST_TRUST_NO_ROOT") throw error;
		throw damaged(host.layout.trustRoot, "is missing, although metadata was verified from it", error);
	}
}

/** A package may bring a newer root later; then the set, which began with an older one of it, goes on. */
function demandSamePin(pin: PinnedRoot, { record }: TrustSet): void {
	if (pin.root.fingerprint === record.pin.sha256) return;
	if (pin.by === "package" && record.pin.by === "package") return;
	throw damaged(
		pin.path,
		"is not the root from which this host's metadata was verified (kfn trust root pin --replace begins anew with another)",
	);
}

function demandMark(set: TrustSet, mark: TrustMark): void {
	if (mark.set !== null) {
		const [found, marked] = [set.number, setNumber(mark.set) ?? 0];
		if (found < marked)
			throw rolledBack("the current set of metadata", { found: set.name, marked: mark.set });
		if (found === marked && set.name !== mark.set)
			throw damaged(set.name, "is another set than the one that was committed");
	}
	demandVersions(rolesOfSet(set), set.record.roles, mark);
	demandLog(set.files, mark);
}

/**
 * HOST_TRUST_ROLLED_BACK where a role is at a lower version than the mark's, unless the root (`files`) has given the role
 * other keys since: then what was marked is void (TUF 1.0.34 §5.3.11). The version of targets stands in the snapshot, and is
 * void with the snapshot's.
 */
export function demandVersions(
	files: ReadonlyMap<string, Uint8Array>,
	roles: Readonly<Partial<Record<string, { readonly version: number }>>>,
	mark: TrustMark,
): void {
	const root = readTrustedRoot(files.get("root")!);
	for (const [role, marked] of Object.entries(mark.roles)) {
		if (marked === undefined) continue;
		const found = roles[role]?.version ?? 0;
		if (found >= marked.version) continue;
		const signedBy = role === "targets" ? "snapshot" : (role as "timestamp" | "snapshot");
		const signers = mark.roles[signedBy]?.signers ?? [];
		const isVoid = role !== "root" && !stillCounts(root, signedBy, signers);
		if (!isVoid)
			throw rolledBack(`${role} metadata of version ${found}`, { role, found, marked: marked.version });
	}
}

function linkOrDamage(host: Host): string | undefined {
	try {
		return currentSetName(host);
	} catch {
		return "damaged";
	}
}
