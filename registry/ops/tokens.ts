// Makes, lists and revokes the registry's tokens. Refuses to store or ever show again a token's text.
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { RegistryError } from "../api/errors.ts";
import type { TokenRecord, TokenVerb } from "../ports/metadata-store.ts";
import { isNamePattern } from "./name-pattern.ts";
import type { RegistryContext } from "./registry-context.ts";

const TOKEN_VERBS: readonly TokenVerb[] = ["publish", "yank", "read"];

/** `kfn_` and 32 random bytes in base64url. */
const TOKEN_TEXT = /^kfn_[A-Za-z0-9_-]{43}$/;
const MAX_LABEL = 200;

export interface TokenSpec {
	/** For people: who holds it, what for. 1 to 200 characters without control characters. */
	readonly label: string;
	/** One pattern: a bundle name, or a prefix with a final `*`. */
	readonly names: string;
	readonly verbs: readonly TokenVerb[];
	/** ISO 8601 UTC with milliseconds; must lie in the future. */
	readonly expiresAt: string;
}

/** What may be shown of a token. */
export type TokenStatus = Omit<TokenRecord, "hash"> & { readonly state: "live" | "expired" | "revoked" };

/** sha256 of the token's text: 32 random bytes need no salt and no slow hash. */
export function hashToken(text: string): string {
	return createHash("sha256").update(text).digest("hex");
}

export function isTokenText(text: string): boolean {
	return TOKEN_TEXT.test(text);
}

/** Makes a token; its text is in this answer and nowhere else. REGISTRY_TOKEN_REFUSED says what is wrong with `spec`. */
export async function createToken(
	registry: RegistryContext,
	spec: TokenSpec,
): Promise<{ id: string; token: string }> {
	const now = registry.now();
	checkSpec(spec, now);
	const token = `kfn_${randomBytes(32).toString("base64url")}`;
	const record: TokenRecord = {
		id: randomUUID(),
		hash: hashToken(token),
		label: spec.label,
		names: spec.names,
		verbs: TOKEN_VERBS.filter((verb) => spec.verbs.includes(verb)),
		createdAt: now.toISOString(),
		expiresAt: spec.expiresAt,
		revokedAt: null,
	};
	await registry.metadata.transaction(async (tx) => {
		await tx.insertToken(record);
		await tx.appendAudit(tokenAudit("token-create", record.id, now));
	});
	return { id: record.id, token };
}

/** All tokens, oldest first, without their hashes. */
export async function listTokens(registry: RegistryContext): Promise<TokenStatus[]> {
	const now = registry.now();
	const records = await registry.metadata.read((reads) => reads.listTokens());
	return records.map(({ hash: _, ...shown }) => ({ ...shown, state: tokenState(shown, now) }));
}

/** Revokes a token from now on; repeating it is harmless. REGISTRY_TOKEN_UNKNOWN when there is no such id. */
export async function revokeToken(registry: RegistryContext, id: string): Promise<void> {
	const now = registry.now();
	await registry.metadata.transaction(async (tx) => {
		if ((await tx.findToken(id)) === undefined) {
			throw new RegistryError("REGISTRY_TOKEN_UNKNOWN", `no token has the id ${id}`, {
				hint: "kfn registry token list shows the ids",
			});
		}
		if (await tx.revokeToken(id, now.toISOString())) {
			await tx.appendAudit(tokenAudit("token-revoke", id, now));
		}
	});
}

/** Revocation outranks expiry: who revoked a token wants to read that it is. */
export function tokenState(
	token: Pick<TokenRecord, "revokedAt" | "expiresAt">,
	now: Date,
): TokenStatus["state"] {
	if (token.revokedAt !== null) return "revoked";
	return Date.parse(token.expiresAt) <= now.getTime() ? "expired" : "live";
}

function checkSpec(spec: TokenSpec, now: Date): void {
	const { label, names, verbs, expiresAt } = spec;
	if (label.length === 0 || label.length > MAX_LABEL || /\p{Cc}/u.test(label)) {
		throw refused(`a label has 1 to ${MAX_LABEL} characters and no control characters`);
	}
	if (!isNamePattern(names)) throw refused(`"${names}" is neither a bundle name nor a prefix with a final *`);
	const wrongVerb = verbs.find((verb) => !TOKEN_VERBS.includes(verb));
	if (verbs.length === 0 || wrongVerb !== undefined) {
		throw refused(`a token has one or more of the verbs ${TOKEN_VERBS.join(", ")}`);
	}
	const expiry = new Date(expiresAt);
	// Times are compared and shown as text elsewhere, so there is one spelling. "Invalid Date" has none.
	if (Number.isNaN(expiry.getTime()) || expiry.toISOString() !== expiresAt) {
		throw refused(`"${expiresAt}" is not a time like 2027-01-31T12:00:00.000Z`);
	}
	if (expiry <= now) throw refused("a token must expire in the future");
}

function refused(message: string): RegistryError {
	return new RegistryError("REGISTRY_TOKEN_REFUSED", message, {
		hint: "kfn registry token create --help shows the forms",
	});
}

function tokenAudit(verb: "token-create" | "token-revoke", id: string, now: Date) {
	return {
		at: now.toISOString(),
		tokenId: null,
		verb,
		name: null,
		version: null,
		sha256: null,
		outcome: id,
	} as const;
}
