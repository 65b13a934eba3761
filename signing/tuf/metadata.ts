// TUF metadata as kfn writes it and reads it back: root, targets, bins, snapshot, timestamp (TUF 1.0.34 §4). Refuses
// anything that our own writer could not have made; a client reads other repositories through updater.ts.
import { canonicalize } from "@tufjs/canonical-json";
import { SigningError } from "../errors.ts";
import { decodeUtf8, hasExactly } from "../strict-json.ts";
import { type TufKey, type TufKeyId, tufKeyId } from "./key.ts";

export const TUF_SPEC_VERSION = "1.0.34";
/** Bytes; what our own tools read of one file. */
export const METADATA_LIMIT = 8 * 1024 * 1024;

export const TOP_LEVEL_ROLES = ["root", "targets", "snapshot", "timestamp"] as const;
export type TopLevelRole = (typeof TOP_LEVEL_ROLES)[number];

interface SignedPart<T extends TopLevelRole> {
	readonly _type: T;
	readonly spec_version: string;
	/** From 1, growing by one with each new file of the role. */
	readonly version: number;
	/** `YYYY-MM-DDTHH:MM:SSZ`. */
	readonly expires: string;
}

export interface RoleKeys {
	readonly keyids: readonly TufKeyId[];
	readonly threshold: number;
}

export interface RootSigned extends SignedPart<"root"> {
	readonly consistent_snapshot: true;
	readonly keys: Readonly<Record<TufKeyId, TufKey>>;
	readonly roles: Readonly<Record<TopLevelRole, RoleKeys>>;
}

export interface TargetFile {
	/** Bytes. */
	readonly length: number;
	readonly hashes: { readonly sha256: string };
	readonly custom?: Readonly<Record<string, unknown>>;
}

/** TAP 15 and TUF 1.0.34 §4.5: 2^bit_length bins, named `<prefix>-<hex>`. */
export interface SuccinctRoles extends RoleKeys {
	readonly bit_length: number;
	readonly name_prefix: string;
}

export interface TargetsSigned extends SignedPart<"targets"> {
	readonly targets: Readonly<Record<string, TargetFile>>;
	readonly delegations?: {
		readonly keys: Readonly<Record<TufKeyId, TufKey>>;
		readonly succinct_roles: SuccinctRoles;
	};
}

export interface MetaFile {
	readonly version: number;
	readonly length?: number;
	readonly hashes?: { readonly sha256: string };
}

export interface SnapshotSigned extends SignedPart<"snapshot"> {
	/** By file name without version: `targets.json`, `bin-00.json`. */
	readonly meta: Readonly<Record<string, MetaFile>>;
}

export interface TimestampSigned extends SignedPart<"timestamp"> {
	readonly meta: { readonly "snapshot.json": MetaFile };
}

export interface SignedByRole {
	readonly root: RootSigned;
	readonly targets: TargetsSigned;
	readonly snapshot: SnapshotSigned;
	readonly timestamp: TimestampSigned;
}

export interface TufSignature {
	readonly keyid: TufKeyId;
	/** 64 bytes, R || S, in lowercase hex. */
	readonly sig: string;
}

/** One file: what is signed, and by whom it claims to be. Nothing is verified by holding one. */
export interface Envelope<S> {
	readonly signatures: readonly TufSignature[];
	readonly signed: S;
}

/** What a signature is over: the canonical JSON of `signed` (§4.2). */
export function signedBytes(signed: SignedByRole[TopLevelRole]): Uint8Array {
	return new TextEncoder().encode(canonicalize(signed));
}

/** The file's bytes: canonical JSON, signatures sorted by key id, so that the same content has one spelling. */
export function serializeEnvelope(envelope: Envelope<SignedByRole[TopLevelRole]>): Uint8Array {
	const signatures = [...envelope.signatures].sort((a, b) => (a.keyid < b.keyid ? -1 : 1));
	return new TextEncoder().encode(canonicalize({ signatures, signed: envelope.signed }));
}

/**
 * Reads a file of the role that our tools wrote. TRUST_MALFORMED: not JSON, another role, a missing or wrong field, a key id
 * that is not its key's (§4.2), a key id twice among the signatures. Verifies no signature.
 */
export function parseEnvelope<T extends TopLevelRole>(bytes: Uint8Array, role: T): Envelope<SignedByRole[T]> {
	const text = decodeUtf8(bytes, METADATA_LIMIT);
	const file = text === undefined ? undefined : parseJson(text);
	if (!hasExactly(file, ["signatures", "signed"]))
		throw malformed(role, "it is not JSON with its two fields");
	const signatures = listed(file.signatures, role, "signatures").map((entry) => parseSignature(entry, role));
	if (new Set(signatures.map(({ keyid }) => keyid)).size !== signatures.length) {
		throw malformed(role, "a key signed it twice");
	}
	const signed = record(file.signed, role, "signed");
	if (signed["_type"] !== role) throw malformed(role, `its type is not ${role}`);
	checkCommon(signed, role);
	CHECKS[role](signed);
	return { signatures, signed: signed as unknown as SignedByRole[T] };
}

type Fields = Readonly<Record<string, unknown>>;

const CHECKS: Readonly<Record<TopLevelRole, (signed: Fields) => void>> = {
	root(signed) {
		if (signed["consistent_snapshot"] !== true) throw malformed("root", "consistent_snapshot is not true");
		const keys = checkKeys(signed["keys"], "root");
		const roles = record(signed["roles"], "root", "roles");
		if (!hasExactly(roles, TOP_LEVEL_ROLES))
			throw malformed("root", "its roles are not the four that there are");
		for (const name of TOP_LEVEL_ROLES)
			checkRoleKeys(record(roles[name], "root", `roles.${name}`), keys, "root");
	},
	targets(signed) {
		for (const [path, file] of Object.entries(record(signed["targets"], "targets", "targets"))) {
			checkTargetFile(record(file, "targets", path), path);
		}
		if (signed["delegations"] === undefined) return;
		const delegations = record(signed["delegations"], "targets", "delegations");
		// TUF 1.0.34 §4.5: roles or succinct_roles, never both.
		if (!hasExactly(delegations, ["keys", "succinct_roles"])) throw malformed("targets", "its delegations");
		const keys = checkKeys(delegations["keys"], "targets");
		const bins = record(delegations["succinct_roles"], "targets", "delegations.succinct_roles");
		checkRoleKeys(bins, keys, "targets");
		const bits = bins["bit_length"];
		if (!Number.isInteger(bits) || (bits as number) < 1 || (bits as number) > 32)
			throw malformed("targets", "bit_length");
		if (typeof bins["name_prefix"] !== "string") throw malformed("targets", "name_prefix");
	},
	snapshot(signed) {
		for (const [name, file] of Object.entries(record(signed["meta"], "snapshot", "meta"))) {
			checkVersion(record(file, "snapshot", name)["version"], "snapshot");
		}
	},
	timestamp(signed) {
		const meta = record(signed["meta"], "timestamp", "meta");
		checkVersion(record(meta["snapshot.json"], "timestamp", "meta")["version"], "timestamp");
	},
};

function checkCommon(signed: Fields, role: string): void {
	checkVersion(signed["version"], role);
	const { expires, spec_version } = signed;
	if (typeof spec_version !== "string" || !/^1\.\d+(\.\d+)?$/.test(spec_version))
		throw malformed(role, "spec_version");
	if (
		typeof expires !== "string" ||
		!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(expires) ||
		Number.isNaN(Date.parse(expires))
	) {
		throw malformed(role, "expires is not a time like 2027-01-31T12:00:00Z");
	}
}

function checkVersion(version: unknown, role: string): void {
	if (!Number.isSafeInteger(version) || (version as number) < 1)
		throw malformed(role, "a version is not a whole number from 1");
}

function checkKeys(value: unknown, role: string): Fields {
	const keys = record(value, role, "keys");
	for (const [keyid, key] of Object.entries(keys)) {
		// Exactly these fields: a further one would change the key id (§4.2), and so count one key twice.
		if (!hasExactly(key, ["keytype", "scheme", "keyval"]) || !hasExactly(key.keyval, ["public"]))
			throw malformed(role, `key ${keyid} does not have exactly the fields of one`);
		const { keytype, scheme } = key;
		const { public: hex } = key.keyval;
		if (
			keytype !== "ed25519" ||
			scheme !== "ed25519" ||
			typeof hex !== "string" ||
			!/^[0-9a-f]{64}$/.test(hex)
		) {
			throw malformed(role, `key ${keyid} is not an ed25519 key`);
		}
		if (tufKeyId(key as unknown as TufKey) !== keyid)
			throw malformed(role, `key ${keyid} has another key id`);
	}
	return keys;
}

function checkRoleKeys(fields: Fields, keys: Fields, role: string): void {
	const keyids = listed(fields["keyids"], role, "keyids");
	const { threshold } = fields;
	if (new Set(keyids).size !== keyids.length) throw malformed(role, "a role lists a key twice");
	if (!keyids.every((keyid) => typeof keyid === "string" && Object.hasOwn(keys, keyid))) {
		throw malformed(role, "a role names a key that the file does not hold");
	}
	if (
		!Number.isSafeInteger(threshold) ||
		(threshold as number) < 1 ||
		(threshold as number) > keyids.length
	) {
		throw malformed(role, "a threshold is not from 1 to the number of its keys");
	}
}

function checkTargetFile(fields: Fields, path: string): void {
	const { sha256 } = record(fields["hashes"], "targets", path);
	const { length } = fields;
	if (!Number.isSafeInteger(length) || (length as number) < 0) throw malformed("targets", `${path}: length`);
	if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))
		throw malformed("targets", `${path}: sha256`);
}

function parseSignature(entry: unknown, role: string): TufSignature {
	if (!hasExactly(entry, ["keyid", "sig"])) throw malformed(role, "a signature is not a keyid and a sig");
	const { keyid, sig } = entry;
	if (typeof keyid !== "string" || !/^[0-9a-f]{64}$/.test(keyid))
		throw malformed(role, "a signature's keyid");
	if (typeof sig !== "string" || !/^[0-9a-f]{128}$/.test(sig))
		throw malformed(role, "a signature is not 64 bytes in hex");
	return { keyid: keyid as TufKeyId, sig };
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

function record(value: unknown, role: string, what: string): Fields {
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw malformed(role, `${what} is no object`);
	return value as Fields;
}

function listed(value: unknown, role: string, what: string): readonly unknown[] {
	if (!Array.isArray(value)) throw malformed(role, `${what} is no list`);
	return value;
}

function malformed(role: string, why: string): SigningError {
	return new SigningError("TRUST_MALFORMED", `the ${role} metadata is malformed: ${why}`, {
		hint: "do not use it; get it again from the registry or its admin",
		details: { role },
	});
}
