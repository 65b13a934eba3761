// What a copy of a whole repository has to check beside the top-level roles, which the updater verifies: every bin, and the
// roots before the trusted one (TUF 1.0.34 §5.6, §5.3). Refuses what our own writer could not have made.
import { createHash } from "node:crypto";
import { SigningError } from "../errors.ts";
import { binNames, binOf } from "./bins.ts";
import {
	type Envelope,
	parseEnvelope,
	type RootSigned,
	type SnapshotSigned,
	type TargetFile,
	type TargetsSigned,
} from "./metadata.ts";
import { demandThreshold } from "./sign.ts";

/** What bins are checked against; `targets` and `snapshot` have been verified, `now` is the time that expiries are held to. */
export interface BinTrust {
	readonly targets: TargetsSigned;
	readonly snapshot: SnapshotSigned;
	readonly now: Date;
}

export interface BinName {
	readonly name: string;
	readonly version: number;
}

/** All bins with the versions that the snapshot names; TRUST_MISMATCH when it leaves one out. */
export function binsOf({ targets, snapshot }: Omit<BinTrust, "now">): BinName[] {
	if (targets.delegations === undefined) return [];
	return binNames(targets.delegations.succinct_roles).map((name) => {
		const meta = snapshot.meta[`${name}.json`];
		if (meta === undefined) throw mismatch(name, "the snapshot does not name it");
		return { name, version: meta.version };
	});
}

/**
 * The targets that a bin lists. TRUST_MALFORMED; TRUST_MISMATCH: not the bytes or the version that the snapshot names, or
 * it lists what lies in another bin; TRUST_SIGNATURES; TRUST_EXPIRED.
 */
export async function verifyBin(
	bytes: Uint8Array,
	bin: BinName,
	trust: BinTrust,
): Promise<ReadonlyMap<string, TargetFile>> {
	const delegations = trust.targets.delegations;
	if (delegations === undefined) throw mismatch(bin.name, "the targets delegate to no bins");
	const meta = trust.snapshot.meta[`${bin.name}.json`];
	// §5.6.2
	if (meta?.length !== undefined && meta.length !== bytes.byteLength) throw mismatch(bin.name, "its length");
	if (meta?.hashes !== undefined && meta.hashes.sha256 !== sha256(bytes))
		throw mismatch(bin.name, "its digest");
	const envelope = parseEnvelope(bytes, "targets");
	// §5.6.3
	await demandThreshold(envelope, delegations.succinct_roles, delegations.keys, bin.name);
	// §5.6.4
	if (envelope.signed.version !== bin.version) throw mismatch(bin.name, `version ${envelope.signed.version}`);
	// §5.6.5
	demandUnexpired(envelope.signed, bin.name, trust.now);
	const targets = new Map(Object.entries(envelope.signed.targets));
	for (const path of targets.keys()) {
		// No client would look for it here: a copy that held it would offer what cannot be had.
		if (binOf(path, delegations.succinct_roles) !== bin.name)
			throw mismatch(bin.name, "it lists another bin's target");
	}
	return targets;
}

/**
 * The root before `next`, which is trusted: signed by its own threshold, and `next` by it (§5.3.4 for a client that pinned
 * this one). TRUST_MALFORMED, TRUST_MISMATCH, TRUST_SIGNATURES. Its expiry does not matter (§5.3.10 holds for the last one).
 */
export async function verifyRootBefore(
	bytes: Uint8Array,
	next: Envelope<RootSigned>,
): Promise<Envelope<RootSigned>> {
	const version = next.signed.version - 1;
	const root = parseEnvelope(bytes, "root");
	const what = `root ${version}`;
	if (root.signed.version !== version) throw mismatch(what, `version ${root.signed.version}`);
	await demandThreshold(root, root.signed.roles.root, root.signed.keys, what);
	await demandThreshold(next, root.signed.roles.root, root.signed.keys, `root ${version + 1} after ${what}`);
	return root;
}

/** TRUST_MISMATCH unless the bytes are those that signed metadata lists. */
export function verifyTarget(bytes: Uint8Array, path: string, file: TargetFile): void {
	if (bytes.byteLength !== file.length)
		throw mismatch(path, `${bytes.byteLength} bytes instead of ${file.length}`);
	if (sha256(bytes) !== file.hashes.sha256) throw mismatch(path, "its digest is another");
}

function demandUnexpired({ expires }: TargetsSigned, what: string, now: Date): void {
	if (new Date(expires) > now) return;
	throw new SigningError("TRUST_EXPIRED", `the metadata ${what} expired at ${expires}`, {
		hint: "the registry's admin must renew it; until then nothing can tell whether it is current",
		details: { role: what, expires },
	});
}

function mismatch(what: string, why: string): SigningError {
	return new SigningError("TRUST_MISMATCH", `${what} is not what the signed metadata names: ${why}`, {
		hint: "the registry or mirror is damaged or lying; try again, then another mirror",
		details: { file: what },
	});
}

function sha256(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("hex");
}
