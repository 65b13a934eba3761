// Decides whether a token may do a verb on a name, and answers with a scope value that the operations demand.
// Refuses to say anything about names that a token may not touch.
import { timingSafeEqual } from "node:crypto";
import { RegistryError, type RegistryErrorCode } from "../api/errors.ts";
import type { MetadataReads, TokenRecord, TokenVerb } from "../ports/metadata-store.ts";
import { matchesName } from "./name-pattern.ts";
import type { RegistryContext } from "./registry-context.ts";
import { hashToken, isTokenText, tokenState } from "./tokens.ts";

declare const proved: unique symbol;

/** Proof that this token may do this verb on this name; made only by {@link authorizeWrite}. */
export interface WriterScope<V extends "publish" | "yank"> {
	readonly tokenId: string;
	readonly verb: V;
	readonly name: string;
	readonly [proved]: true;
}

/** What a reader may see; made only by {@link authorizeRead}. */
export interface ReaderScope {
	readonly allows: (name: string) => boolean;
	readonly [proved]: true;
}

/** Checks an `Authorization` header for a write on `name`. Errors: the REGISTRY_TOKEN_ codes. */
export async function authorizeWrite<V extends "publish" | "yank">(
	registry: RegistryContext,
	request: { authorization: string | undefined; verb: V; name: string },
): Promise<WriterScope<V>> {
	const token = await authenticate(registry, request.authorization);
	if (!token.verbs.includes(request.verb) || !matchesName(token.names, request.name)) {
		throw outOfScope(request.verb, request.name, token);
	}
	return { tokenId: token.id, verb: request.verb, name: request.name } as WriterScope<V>;
}

/** A public registry lets everyone read everything; a private one asks for a token with the verb `read`. */
export async function authorizeRead(
	registry: RegistryContext,
	request: { authorization: string | undefined; name?: string },
): Promise<ReaderScope> {
	if (!registry.private) return { allows: () => true } as unknown as ReaderScope;
	const token = await authenticate(registry, request.authorization);
	const allows = (name: string) => token.verbs.includes("read") && matchesName(token.names, name);
	// Decided by the pattern alone, before any look-up: the answer does not depend on what exists.
	if (!token.verbs.includes("read") || (request.name !== undefined && !allows(request.name))) {
		throw outOfScope("read", request.name, token);
	}
	return { allows } as unknown as ReaderScope;
}

/** Asks again inside a write's own transaction: a token revoked while an upload ran must not finish it. */
export async function stillAuthorized(
	reads: MetadataReads,
	scope: WriterScope<"publish" | "yank">,
	now: Date,
): Promise<void> {
	refuseDead(await reads.findToken(scope.tokenId), now);
}

async function authenticate(
	registry: RegistryContext,
	authorization: string | undefined,
): Promise<TokenRecord> {
	if (authorization === undefined) {
		throw new RegistryError("REGISTRY_TOKEN_MISSING", "this needs a token", {
			hint: "send the header Authorization: Bearer kfn_…; with kfn, put the token into KFN_TOKEN",
		});
	}
	const text = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
	if (text === undefined || !isTokenText(text)) throw unknownToken();
	const hash = hashToken(text);
	const token = await registry.metadata.read((reads) => reads.findTokenByHash(hash));
	// The index look-up works on a hash that an attacker cannot steer, so its timing tells nothing of the stored ones;
	// the comparison that decides is constant-time all the same, and does not rest on how a database compares text.
	if (token === undefined || !timingSafeEqual(Buffer.from(token.hash, "hex"), Buffer.from(hash, "hex"))) {
		throw unknownToken();
	}
	return refuseDead(token, registry.now());
}

function refuseDead(token: TokenRecord | undefined, now: Date): TokenRecord {
	if (token === undefined) throw unknownToken();
	const state = tokenState(token, now);
	if (state === "live") return token;
	const code: RegistryErrorCode = state === "revoked" ? "REGISTRY_TOKEN_REVOKED" : "REGISTRY_TOKEN_EXPIRED";
	const message = state === "revoked" ? "this token was revoked" : `this token expired at ${token.expiresAt}`;
	throw new RegistryError(code, message, {
		hint: "ask the registry's admin for a new one (kfn registry token create)",
		details: { tokenId: token.id },
	});
}

function unknownToken(): RegistryError {
	return new RegistryError("REGISTRY_TOKEN_INVALID", "this registry does not know the token", {
		hint: "check that it was copied whole (kfn_ and 43 characters) and belongs to this registry",
	});
}

function outOfScope(verb: TokenVerb, name: string | undefined, token: TokenRecord): RegistryError {
	return new RegistryError(
		"REGISTRY_TOKEN_SCOPE",
		`this token does not allow ${verb} on ${name ?? "this registry"}`,
		{
			hint: `it allows ${token.verbs.join(", ")} on ${token.names}; ask the admin for one that covers this`,
			details: { tokenId: token.id, verbs: token.verbs, names: token.names },
		},
	);
}
