// Which keys kfn lets metadata rest on, checked after the signatures: Ed25519 alone, and no key under two names. Refuses
// nothing that a repository may do with keys which no role uses.
import { plain, SigningError } from "../errors.ts";
import { publicKeyOfBytes } from "../public-key.ts";

/** `any` is for reading other implementations' repositories (test/conformance); a host always asks for `ed25519`. */
export type KeyPolicy = "ed25519" | "any";

interface Delegating {
	readonly keys?: unknown;
	readonly roles?: unknown;
	readonly delegations?: {
		readonly keys?: unknown;
		readonly roles?: unknown;
		readonly succinct_roles?: unknown;
	};
}

/**
 * TRUST_KEY_POLICY unless every key that the file gives a role is Ed25519 of prime order, and no two of their ids have one
 * public value: a threshold counts ids (TUF 1.0.34 §5.3.4), so that one key under two would be two signers.
 * `bytes` are root or targets metadata whose signatures have been verified.
 */
export function demandKeyPolicy(bytes: Uint8Array, role: string, policy: KeyPolicy): void {
	if (policy === "any") return;
	const { signed } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { signed: Delegating };
	const keys = (signed.keys ?? signed.delegations?.keys ?? {}) as Record<string, unknown>;
	const idOfValue = new Map<string, string>();
	for (const keyid of keyidsInUse(signed)) {
		if (!Object.hasOwn(keys, keyid)) continue;
		const value = ed25519Value(keys[keyid], keyid, role);
		const other = idOfValue.get(value);
		if (other !== undefined) {
			throw refused(role, `the keys ${plain(keyid)} and ${plain(other)} are one key under two ids`, keyid);
		}
		idOfValue.set(value, keyid);
	}
}

function keyidsInUse({ roles, delegations }: Delegating): Set<string> {
	const delegated = delegations?.roles ?? [];
	const users = [
		...Object.values((roles ?? {}) as object),
		...Object.values(delegated as object),
		...(delegations?.succinct_roles === undefined ? [] : [delegations.succinct_roles]),
	] as { keyids: string[] }[];
	return new Set(users.flatMap(({ keyids }) => keyids));
}

/** The 64 hex digits of the public key. */
function ed25519Value(key: unknown, keyid: string, role: string): string {
	const { keytype, scheme, keyval } = key as { keytype: string; scheme: string; keyval: { public?: string } };
	const value = keyval.public ?? "";
	if (keytype !== "ed25519" || scheme !== "ed25519" || !/^[0-9a-f]{64}$/.test(value)) {
		throw refused(role, `the key ${plain(keyid)} is ${plain(keytype)}/${plain(scheme)}`, keyid);
	}
	try {
		// node:crypto, with which tuf-js verifies, takes keys of small order; under one, anybody signs.
		publicKeyOfBytes(new Uint8Array(Buffer.from(value, "hex")));
	} catch (cause) {
		throw refused(role, `the key ${plain(keyid)} is not in the group of prime order`, keyid, cause);
	}
	return value;
}

function refused(role: string, why: string, keyid: string, cause?: unknown): SigningError {
	return new SigningError(
		"TRUST_KEY_POLICY",
		`the ${plain(role)} metadata relies on other keys than kfn takes: ${why}`,
		{
			hint: "kfn takes Ed25519 keys, each under one id; ask the registry's admin",
			details: { role: plain(role), keyid: plain(keyid) },
			...(cause === undefined ? {} : { cause }),
		},
	);
}
