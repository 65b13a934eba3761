// What a host has to know of a root that it trusts, whoever wrote it: version, expiry, and which keys stand for a role.
// Verifies nothing, and reads other implementations' roots, too; our own tools read theirs with metadata.ts.
import { createHash } from "node:crypto";
import { SigningError } from "../errors.ts";
import { decodeUtf8 } from "../strict-json.ts";
import { ROLE_LIMITS } from "./limits.ts";
import { TOP_LEVEL_ROLES, type TopLevelRole } from "./metadata.ts";

export interface RootKeys {
	readonly keyids: readonly string[];
	readonly threshold: number;
}

export interface TrustedRoot {
	readonly version: number;
	readonly expires: string;
	/** sha256 of the exact bytes, 64 lowercase hex digits: what people compare. */
	readonly fingerprint: string;
	readonly roles: Readonly<Record<TopLevelRole, RootKeys>>;
}

/** TRUST_MALFORMED for anything that is no root metadata. */
export function readTrustedRoot(bytes: Uint8Array): TrustedRoot {
	const signed = signedOf(bytes);
	const { version, expires, roles } = signed;
	if (signed["_type"] !== "root" || !isVersion(version)) throw malformed("its type or version");
	if (typeof expires !== "string" || Number.isNaN(Date.parse(expires))) throw malformed("its expiry");
	const found = TOP_LEVEL_ROLES.map(
		(role) => [role, roleKeys((roles as Fields | undefined)?.[role])] as const,
	);
	return {
		version,
		expires,
		fingerprint: createHash("sha256").update(bytes).digest("hex"),
		roles: Object.fromEntries(found) as Record<TopLevelRole, RootKeys>,
	};
}

/**
 * Whether metadata that `signers` signed would still count under this root. Where it would not, the role's keys were
 * rotated, and what was remembered of its versions is void (TUF 1.0.34 §5.3.11): that is how a repository recovers from a
 * thief who counted its versions up to the end.
 */
export function stillCounts(root: TrustedRoot, role: TopLevelRole, signers: readonly string[]): boolean {
	const { keyids, threshold } = root.roles[role];
	return new Set(keyids.filter((keyid) => signers.includes(keyid))).size >= threshold;
}

type Fields = Readonly<Record<string, unknown>>;

function signedOf(bytes: Uint8Array): Fields {
	const text = decodeUtf8(bytes, ROLE_LIMITS.root);
	try {
		const { signed } = JSON.parse(text ?? "") as { signed?: unknown };
		if (typeof signed === "object" && signed !== null) return signed as Fields;
	} catch {
		// Falls through to the same refusal.
	}
	throw malformed("it is not JSON with a signed part");
}

function roleKeys(value: unknown): RootKeys {
	const { keyids, threshold } = (value ?? {}) as Fields;
	if (Array.isArray(keyids) && keyids.every((keyid) => typeof keyid === "string") && isVersion(threshold)) {
		return { keyids, threshold };
	}
	throw malformed("its roles");
}

function isVersion(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 1;
}

function malformed(why: string): SigningError {
	return new SigningError("TRUST_MALFORMED", `this is no root metadata: ${why}`, {
		hint: "a registry's root is a file like 1.root.json; get it from the registry's admin",
	});
}
