// Makes versions of the root metadata: the first, and the next ones with other keys, thresholds or a later expiry (TUF
// 1.0.34 §4.3, §6.1). Refuses a role that could never be signed; signs nothing, and says nothing about who must.
import { SigningError } from "../errors.ts";
import type { PublicKey } from "../public-key.ts";
import { type TufKey, type TufKeyId, tufKeyId, tufKeyOf } from "./key.ts";
import { type RoleKeys, type RootSigned, TOP_LEVEL_ROLES, TUF_SPEC_VERSION } from "./metadata.ts";
import { expiryAfter } from "./time.ts";

/** The roles whose keys people hold; the others are signed by the registry itself. */
export const OFFLINE_ROLES = ["root", "targets"] as const;
export type OfflineRole = (typeof OFFLINE_ROLES)[number];

/** Who signs a role: `threshold` of `keys`. */
export interface Signers {
	readonly keys: readonly PublicKey[];
	readonly threshold: number;
}

/** The new file expires `days` after `now`. */
export interface Lifetime {
	readonly now: Date;
	readonly days: number;
}

export interface OnlineKeys {
	readonly snapshot: PublicKey;
	readonly timestamp: PublicKey;
}

/** More than half of the keys: no two groups that suffice lack a common member, and with 3 keys one may be lost. */
export function usualThreshold(keys: number): number {
	return Math.floor(keys / 2) + 1;
}

/** Version 1. DRAFT_ROLE_KEYS when a role has no key, a key twice, or a threshold that its keys cannot reach. */
export function firstRoot(
	roles: { readonly root: Signers; readonly targets: Signers; readonly online: OnlineKeys },
	lifetime: Lifetime,
): RootSigned {
	const { root, targets, online } = roles;
	const all = [...root.keys, ...targets.keys, online.snapshot, online.timestamp].map(tufKeyOf);
	return assemble(1, lifetime, all, {
		root: roleKeys("root", root.keys.map(idOf), root.threshold),
		targets: roleKeys("targets", targets.keys.map(idOf), targets.threshold),
		snapshot: roleKeys("snapshot", [idOf(online.snapshot)], 1),
		timestamp: roleKeys("timestamp", [idOf(online.timestamp)], 1),
	});
}

/** The version after `previous`, with its keys and thresholds (§5.3.5: exactly one higher). */
export function nextRoot(previous: RootSigned, lifetime: Lifetime): RootSigned {
	return assemble(previous.version + 1, lifetime, Object.values(previous.keys), previous.roles);
}

/**
 * `root` with one more signer of `role`; a key that signs it already changes nothing but the threshold, where one is given.
 * DRAFT_ROLE_KEYS for a threshold beyond the keys.
 */
export function withSigner(
	root: RootSigned,
	role: OfflineRole,
	signer: { readonly key: PublicKey; readonly threshold: number | undefined },
): RootSigned {
	const { keyids, threshold } = root.roles[role];
	const ids = [...new Set([...keyids, idOf(signer.key)])];
	const changed = roleKeys(role, ids, signer.threshold ?? threshold);
	return withRoles(root, { [role]: changed }, [tufKeyOf(signer.key)]);
}

/** `root` with one signer of `role` less. DRAFT_UNKNOWN_SIGNER; DRAFT_ROLE_KEYS when the threshold would be out of reach. */
export function withoutSigner(
	root: RootSigned,
	role: OfflineRole,
	signer: { readonly keyid: TufKeyId; readonly threshold: number | undefined },
): RootSigned {
	const { keyids, threshold } = root.roles[role];
	if (!keyids.includes(signer.keyid)) {
		throw new SigningError("DRAFT_UNKNOWN_SIGNER", `${signer.keyid} is not a key of the role ${role}`, {
			hint: "kfn root show lists the keys of each role",
			details: { role, keyid: signer.keyid, keys: keyids },
		});
	}
	const ids = keyids.filter((keyid) => keyid !== signer.keyid);
	return withRoles(root, { [role]: roleKeys(role, ids, signer.threshold ?? threshold) }, []);
}

/** `root` with other keys for what the registry signs by itself; clients then forget old versions of both (§5.3.11). */
export function withOnlineKeys(root: RootSigned, online: OnlineKeys): RootSigned {
	const roles = {
		snapshot: roleKeys("snapshot", [idOf(online.snapshot)], 1),
		timestamp: roleKeys("timestamp", [idOf(online.timestamp)], 1),
	};
	return withRoles(root, roles, [tufKeyOf(online.snapshot), tufKeyOf(online.timestamp)]);
}

function withRoles(
	root: RootSigned,
	changed: Partial<RootSigned["roles"]>,
	added: readonly TufKey[],
): RootSigned {
	const roles = { ...root.roles, ...changed };
	return { ...root, keys: keysInUse([...Object.values(root.keys), ...added], roles), roles };
}

function assemble(
	version: number,
	{ now, days }: Lifetime,
	keys: readonly TufKey[],
	roles: RootSigned["roles"],
): RootSigned {
	return {
		_type: "root",
		spec_version: TUF_SPEC_VERSION,
		version,
		expires: expiryAfter(now, days),
		consistent_snapshot: true,
		keys: keysInUse(keys, roles),
		roles,
	};
}

/** A key that no role names any more must not stand in the file: a reader would take it for one that counts. */
function keysInUse(keys: readonly TufKey[], roles: RootSigned["roles"]): Record<TufKeyId, TufKey> {
	const used = new Set(TOP_LEVEL_ROLES.flatMap((role) => roles[role].keyids));
	const entries = keys.map((key) => [tufKeyId(key), key] as const).filter(([keyid]) => used.has(keyid));
	return Object.fromEntries(entries) as Record<TufKeyId, TufKey>;
}

function roleKeys(role: string, keyids: readonly TufKeyId[], threshold: number): RoleKeys {
	const repeated = keyids.find((keyid, at) => keyids.indexOf(keyid) !== at);
	if (repeated !== undefined) throw unfit(role, `has the key ${repeated} twice`, keyids, threshold);
	if (!Number.isInteger(threshold) || threshold < 1 || threshold > keyids.length) {
		throw unfit(role, `would need ${threshold} of ${keyids.length} keys`, keyids, threshold);
	}
	return { keyids, threshold };
}

function unfit(role: string, why: string, keyids: readonly TufKeyId[], threshold: number): SigningError {
	return new SigningError("DRAFT_ROLE_KEYS", `the role ${role} ${why}`, {
		hint: "a threshold is a whole number from 1 to the number of the role's keys, which all differ",
		details: { role, threshold, keys: keyids },
	});
}

function idOf(key: PublicKey): TufKeyId {
	return tufKeyId(tufKeyOf(key));
}
