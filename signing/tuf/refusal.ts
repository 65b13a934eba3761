// Why tuf-js refused a repository, found again from the bytes that came and those that were trusted: tuf-js says it in words
// and wraps words into words. Decides nothing: what it is asked about has been refused already.
import {
	Metadata,
	MetadataKind,
	type Root,
	type Snapshot,
	type Targets,
	type Timestamp,
} from "@tufjs/models";
import { plain, SigningError, type SigningErrorCode } from "../errors.ts";
import type { FetchedMetadata } from "./fetch-port.ts";

/** Everything that tuf-js had before it when it refused. */
export interface RefusedUpdate {
	/** By role: what was trusted when the update began. */
	readonly before: ReadonlyMap<string, Uint8Array>;
	/** By role: what is trusted now, the verified part of this update included. */
	readonly trusted: ReadonlyMap<string, Uint8Array>;
	/** The last file that was fetched, where it is not among the trusted ones. */
	readonly refused: FetchedMetadata | undefined;
	/** TUF 1.0.34 §5.1. */
	readonly referenceTime: Date;
}

interface Finding {
	readonly code: SigningErrorCode;
	readonly role: string;
	readonly why: string;
	readonly details?: Readonly<Record<string, unknown>>;
}

type Signed = Root | Timestamp | Snapshot | Targets;

const HINTS: Partial<Record<SigningErrorCode, string>> = {
	TRUST_EXPIRED:
		"the registry does not renew its metadata, something withholds it, or this host's clock is wrong (date)",
	TRUST_ROLLBACK: "the registry was restored from an old state, or somebody replays one; ask its admin",
	TRUST_SIGNATURES: "the registry, or something in between, shows what its key holders did not sign",
	TRUST_MISMATCH:
		"the registry, or something in between, mixes files of different times; try again, then ask its admin",
	TRUST_MALFORMED: "is this the address of a kfn registry? If it is, ask its admin",
};

/** The reason as one of ours, or undefined where the bytes show none; `cause` is what tuf-js said. */
export function explainRefusal(update: RefusedUpdate, cause: unknown): SigningError | undefined {
	const finding = findingOf(update);
	if (finding === undefined) return undefined;
	const { code, role, why, details } = finding;
	const hint = HINTS[code];
	return new SigningError(code, `the registry's ${plain(role)} metadata ${why}`, {
		...(hint === undefined ? {} : { hint }),
		details: { role: plain(role), ...details },
		cause,
	});
}

function findingOf(update: RefusedUpdate): Finding | undefined {
	const root = read<Root>(MetadataKind.Root, update.trusted.get("root"));
	if (root === undefined) return { code: "TRUST_MALFORMED", role: "root", why: "is not in TUF's format" };
	const { refused } = update;
	return (
		(refused === undefined ? rootAlone(root) : ofFile(root, refused, update)) ??
		outdated(update) ??
		unlisted(update)
	);
}

/** What came is what was trusted already, and that has expired meanwhile (§5.3.10, 5.4.4, 5.5.6). */
function outdated(update: RefusedUpdate): Finding | undefined {
	const { trusted } = update;
	const root = read<Root>(MetadataKind.Root, trusted.get("root"));
	const timestamp = read<Timestamp>(MetadataKind.Timestamp, trusted.get("timestamp"));
	const snapshot = read<Snapshot>(MetadataKind.Snapshot, trusted.get("snapshot"));
	return (
		(root && expired("root", root, update)) ??
		(timestamp && expired("timestamp", timestamp, update)) ??
		(snapshot && expired("snapshot", snapshot, update))
	);
}

function ofFile(root: Metadata<Root>, refused: FetchedMetadata, update: RefusedUpdate): Finding | undefined {
	switch (refused.role) {
		case "root":
			return ofRoot(root, refused);
		case "timestamp":
			return expired("root", root, update) ?? ofTimestamp(root, refused, update);
		case "snapshot":
			return ofSnapshot(root, refused, update);
		default:
			return ofTargets(root, refused, update);
	}
}

/** §5.2: nothing was fetched, so the root that the caller brought is at fault, or a delegation that names nobody. */
function rootAlone(root: Metadata<Root>): Finding | undefined {
	return unsigned(root, "root", root)
		? { code: "TRUST_SIGNATURES", role: "root", why: "is not signed by its own keys" }
		: undefined;
}

/** §5.3.4 and 5.3.5. */
function ofRoot(trusted: Metadata<Root>, { name, content }: FetchedMetadata): Finding | undefined {
	if (content === "missing") return undefined;
	const next = read<Root>(MetadataKind.Root, content);
	if (next === undefined) return { code: "TRUST_MALFORMED", role: "root", why: "is not in TUF's format" };
	if (unsigned(trusted, "root", next)) {
		return {
			code: "TRUST_SIGNATURES",
			role: "root",
			why: "is not signed by enough of the trusted root's keys",
		};
	}
	const { version } = trusted.signed;
	if (next.signed.version !== version + 1) {
		const code = next.signed.version <= version ? "TRUST_ROLLBACK" : "TRUST_MISMATCH";
		const details = { trusted: version, offered: next.signed.version, name };
		return {
			code,
			role: "root",
			why: `is version ${next.signed.version}, and ${version + 1} must follow`,
			details,
		};
	}
	if (!unsigned(next, "root", next)) return undefined;
	return { code: "TRUST_SIGNATURES", role: "root", why: "is not signed by enough of its own keys" };
}

/** §5.4.2 to 5.4.4. */
function ofTimestamp(
	root: Metadata<Root>,
	refused: FetchedMetadata,
	update: RefusedUpdate,
): Finding | undefined {
	if (refused.content === "missing") return notThere(refused);
	const found = ownFault<Timestamp>(MetadataKind.Timestamp, refused, [root]);
	if ("code" in found) return found;
	const before = stillTrusted<Timestamp>(MetadataKind.Timestamp, "timestamp", root, update);
	if (before !== undefined) {
		const versions = [before.signed.version, found.signed.version] as const;
		const snapshots = [before.signed.snapshotMeta.version, found.signed.snapshotMeta.version] as const;
		if (versions[1] < versions[0]) return lower("timestamp", "is", versions);
		if (snapshots[1] < snapshots[0]) return lower("timestamp", "names snapshot", snapshots);
	}
	return expired("timestamp", found, update);
}

/** §5.5.2 to 5.5.6. */
function ofSnapshot(
	root: Metadata<Root>,
	refused: FetchedMetadata,
	update: RefusedUpdate,
): Finding | undefined {
	const timestamp = read<Timestamp>(MetadataKind.Timestamp, update.trusted.get("timestamp"));
	if (timestamp === undefined) return undefined;
	const late = expired("timestamp", timestamp, update);
	if (late !== undefined) return late;
	const listed = timestamp.signed.snapshotMeta;
	const other = notAsListed(refused, listed);
	if (other !== undefined) return other;
	const found = ownFault<Snapshot>(MetadataKind.Snapshot, refused, [root]);
	if ("code" in found) return found;
	if (found.signed.version !== listed.version) return otherVersion("snapshot", listed.version, found);
	const before = stillTrusted<Snapshot>(MetadataKind.Snapshot, "snapshot", root, update);
	for (const [name, { version }] of Object.entries(before?.signed.meta ?? {})) {
		const now = found.signed.meta[name]?.version;
		if (now === undefined) {
			const details = { missing: plain(name) };
			return { code: "TRUST_ROLLBACK", role: "snapshot", why: `no longer lists ${plain(name)}`, details };
		}
		if (now < version) return lower("snapshot", `lists ${plain(name)} as`, [version, now]);
	}
	return expired("snapshot", found, update);
}

/** §5.6.2 to 5.6.5, for targets and every role that it delegates to. */
function ofTargets(
	root: Metadata<Root>,
	refused: FetchedMetadata,
	update: RefusedUpdate,
): Finding | undefined {
	const { role } = refused;
	const snapshot = read<Snapshot>(MetadataKind.Snapshot, update.trusted.get("snapshot"));
	if (snapshot === undefined) return undefined;
	const late = expired("snapshot", snapshot, update);
	if (late !== undefined) return late;
	const listed = snapshot.signed.meta[`${role}.json`];
	if (listed === undefined) return notListed(role);
	const other = notAsListed(refused, listed);
	if (other !== undefined) return other;
	const found = ownFault<Targets>(
		MetadataKind.Targets,
		refused,
		role === "targets" ? [root] : delegators(role, update),
	);
	if ("code" in found) return found;
	if (found.signed.version !== listed.version) return otherVersion(role, listed.version, found);
	return expired(role, found, update);
}

/** Nothing that came was refused: then a role that somebody delegates to is not in the snapshot, or not signed for all of them. */
function unlisted({ trusted }: RefusedUpdate): Finding | undefined {
	const snapshot = read<Snapshot>(MetadataKind.Snapshot, trusted.get("snapshot"));
	if (snapshot === undefined) return undefined;
	const listed = (role: string) => snapshot.signed.meta[`${role}.json`] !== undefined;
	if (!listed("targets")) return notListed("targets");
	for (const metadata of targetsOf(trusted)) {
		const { roles, succinctRoles } = metadata.signed.delegations ?? {};
		const names = roles === undefined ? [...(succinctRoles?.getRoles() ?? [])] : Object.keys(roles);
		const missing = names.find((role) => !listed(role));
		if (missing !== undefined) return notListed(missing);
		for (const name of names) {
			const delegated = read<Targets>(MetadataKind.Targets, trusted.get(name));
			if (delegated !== undefined && unsigned(metadata, name, delegated)) return unsignedRole(name);
		}
	}
	return undefined;
}

/** What is wrong with a file whatever is trusted: its format, or its signatures under each of `delegators`. */
function ownFault<T extends Signed>(
	kind: MetadataKind,
	{ role, content }: FetchedMetadata,
	delegatedBy: readonly Metadata<Root | Targets>[],
): Finding | Metadata<T> {
	const found = content === "missing" ? undefined : read<T>(kind, content);
	if (found === undefined) return { code: "TRUST_MALFORMED", role, why: "is not in TUF's format" };
	return delegatedBy.some((delegator) => !unsigned(delegator, role, found)) ? found : unsignedRole(role);
}

function unsignedRole(role: string): Finding {
	return { code: "TRUST_SIGNATURES", role, why: "is not signed by enough of the keys that must sign it" };
}

function notListed(role: string): Finding {
	return { code: "TRUST_MISMATCH", role, why: "is relied on, and the snapshot does not list it" };
}

function notAsListed(
	{ role, name, content }: FetchedMetadata,
	listed: { verify(data: Buffer): void },
): Finding | undefined {
	if (content === "missing") return notThere({ role, name, content });
	try {
		listed.verify(Buffer.from(content));
		return undefined;
	} catch {
		return {
			code: "TRUST_MISMATCH",
			role,
			why: "has another length or digest than signed metadata names",
			details: { name },
		};
	}
}

function notThere({ role, name }: FetchedMetadata): Finding {
	return { code: "TRUST_MISMATCH", role, why: "must be there, and is not", details: { name: plain(name) } };
}

function otherVersion(role: string, listed: number, { signed }: Metadata<Signed>): Finding {
	const details = { listed, offered: signed.version };
	return {
		code: "TRUST_MISMATCH",
		role,
		why: `is version ${signed.version}, and signed metadata names ${listed}`,
		details,
	};
}

function lower(role: string, what: string, [trusted, offered]: readonly [number, number]): Finding {
	const why = `${what} version ${offered}, and ${trusted} was trusted before`;
	return { code: "TRUST_ROLLBACK", role, why, details: { trusted, offered } };
}

function expired(
	role: string,
	{ signed }: Metadata<Signed>,
	{ referenceTime }: RefusedUpdate,
): Finding | undefined {
	if (!signed.isExpired(referenceTime)) return undefined;
	const details = {
		version: signed.version,
		expires: plain(signed.expires),
		now: referenceTime.toISOString(),
	};
	return { code: "TRUST_EXPIRED", role, why: `expired at ${plain(signed.expires)}`, details };
}

/** What was trusted when the update began, where the root that is trusted now still takes it (§5.3.11). */
function stillTrusted<T extends Timestamp | Snapshot>(
	kind: MetadataKind,
	role: string,
	root: Metadata<Root>,
	{ before }: RefusedUpdate,
): Metadata<T> | undefined {
	const metadata = read<T>(kind, before.get(role));
	return metadata === undefined || unsigned(root, role, metadata) ? undefined : metadata;
}

function delegators(role: string, { trusted }: RefusedUpdate): Metadata<Targets>[] {
	return targetsOf(trusted).filter(({ signed: { delegations } }) =>
		delegations?.roles === undefined
			? delegations?.succinctRoles?.isDelegatedRole(role)
			: Object.hasOwn(delegations.roles, role),
	);
}

function targetsOf(trusted: ReadonlyMap<string, Uint8Array>): Metadata<Targets>[] {
	return [...trusted].flatMap(([role, bytes]) => {
		if (role === "root" || role === "timestamp" || role === "snapshot") return [];
		const metadata = read<Targets>(MetadataKind.Targets, bytes);
		return metadata === undefined ? [] : [metadata];
	});
}

function unsigned(delegator: Metadata<Root | Targets>, role: string, metadata: Metadata<Signed>): boolean {
	try {
		delegator.verifyDelegate(role, metadata);
		return false;
	} catch {
		return true;
	}
}

function read<T extends Signed>(kind: MetadataKind, bytes: Uint8Array | undefined): Metadata<T> | undefined {
	if (bytes === undefined) return undefined;
	try {
		// The overloads of fromJSON name a kind each; which T belongs to which kind stands at every call above.
		const from = Metadata.fromJSON as (kind: MetadataKind, data: unknown) => unknown;
		return from(kind, JSON.parse(Buffer.from(bytes).toString("utf8"))) as Metadata<T>;
	} catch {
		return undefined;
	}
}
