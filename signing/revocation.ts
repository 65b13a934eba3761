// Revocations: a publisher's signed word that a tag or a build of its bundle must not run anywhere, for ever
// (docs/formats/recall.md). Refuses to be taken back by fewer keys than the publisher's threshold; one key suffices to revoke.
import { type DsseEnvelope, envelopeOfValue, type PayloadForm, parseDsseEnvelope } from "./envelope.ts";
import { plain, SigningError } from "./errors.ts";
import { type Publishers, publisherFor } from "./publishers.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";
import { isTufTime } from "./tuf/time.ts";
import { verifyEnvelope } from "./verify.ts";
import { isVersion } from "./version-range.ts";

export const REVOCATION_PAYLOAD_TYPE = "application/vnd.kfn.revocation.v1+json";
export const REVOCATION_SCHEMA = "kfn.revocation/1";
export const REVOCATION_LIMITS = {
	payloadBytes: 8 * 1024,
	envelopeBytes: 32 * 1024,
	/** Characters. */
	reason: 500,
	tags: 32,
	builds: 32,
} as const;

/** One version's one content. */
export interface RevokedBuild {
	readonly version: string;
	/** sha256 of its kfn.json. */
	readonly manifestSha256: string;
}

export interface Revocation {
	/** 32 lowercase hex digits, chosen at random. A withdrawal has the id of what it takes back. */
	readonly id: string;
	/** The bundle's name: tags and builds are revoked under this name only. */
	readonly name: string;
	/** `withdrawn` is the last word on an id. */
	readonly state: "revoked" | "withdrawn";
	/** Sources: no build of them may run, on a kernel or in a device. Sorted. */
	readonly tags: readonly string[];
	/** Builds whose source is not to blame. Sorted by manifest. */
	readonly builds: readonly RevokedBuild[];
	/** The id of the advisory that says more; null where there is none. */
	readonly advisory: string | null;
	readonly reason: string;
	/** `YYYY-MM-DDTHH:MM:SSZ`. Nothing is judged by it: a publisher with a wrong clock must be able to revoke. */
	readonly issued: string;
}

declare const opened: unique symbol;

/** A revocation whose signatures have been checked; made only by {@link openRevocation}. */
export type OpenedRevocation = Revocation & { readonly [opened]: true };

const FORM: PayloadForm = {
	payloadType: REVOCATION_PAYLOAD_TYPE,
	payloadBytes: REVOCATION_LIMITS.payloadBytes,
	envelopeBytes: REVOCATION_LIMITS.envelopeBytes,
	malformed,
};
const FIELDS = ["schema", "id", "name", "state", "tags", "builds", "advisory", "reason", "issued"] as const;
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const DIGEST = /^[0-9a-f]{64}$/;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Parses a revocation's file: REVOCATION_MALFORMED for all but an envelope in its one spelling. The payload stays closed. */
export function parseRevocationFile(bytes: Uint8Array): DsseEnvelope {
	return parseDsseEnvelope(bytes, FORM);
}

/** Reads a revocation that another document embeds; errors as {@link parseRevocationFile}. */
export function revocationOfValue(value: unknown): DsseEnvelope {
	return envelopeOfValue(value, FORM);
}

/** The unsigned envelope around a revocation. REVOCATION_MALFORMED where one of its fields breaks the format. */
export function newRevocation(revocation: Revocation): DsseEnvelope {
	const payload = serializeRevocation(revocation);
	parseRevocation(payload);
	return { payloadType: REVOCATION_PAYLOAD_TYPE, payload, signatures: [] };
}

/** What takes a revocation back; it needs signatures of the publisher's whole threshold. */
export function withdrawalOf(
	revocation: Revocation,
	{ reason, issued }: { readonly reason: string; readonly issued: string },
): DsseEnvelope {
	return newRevocation({ ...revocation, state: "withdrawn", reason, issued });
}

/** What a revocation claims, for whoever shows it, signs it or looks for its publisher; REVOCATION_MALFORMED, and nothing is verified. */
export function unverifiedRevocation(envelope: DsseEnvelope): Revocation {
	return parseRevocation(envelope.payload);
}

/**
 * Verifies the signatures with the publisher that `publishers` give for `name`, then parses what they are over. One of the
 * publisher's keys suffices for a revocation, its whole threshold must have signed a withdrawal.
 * PUBLISHERS_NO_MATCH, the SIGNATURE_ codes, REVOCATION_MALFORMED; REVOCATION_NAME when it is of another name.
 */
export async function openRevocation(
	envelope: DsseEnvelope,
	name: string,
	publishers: Publishers,
): Promise<OpenedRevocation> {
	const publisher = publisherFor(publishers, name);
	const one = { ...publisher, threshold: 1 };
	const payload = await verifyEnvelope(envelope, REVOCATION_PAYLOAD_TYPE, one, "revocation");
	const revocation = parseRevocation(payload);
	if (revocation.state === "withdrawn")
		await verifyEnvelope({ ...envelope, payload }, REVOCATION_PAYLOAD_TYPE, publisher, "revocation");
	if (revocation.name === name) return revocation as OpenedRevocation;
	throw new SigningError(
		"REVOCATION_NAME",
		`revocation ${revocation.id} is of ${revocation.name}, not of ${plain(name)}`,
		{ details: { id: revocation.id, name: revocation.name } },
	);
}

/** Whether what has this name, tag and manifest is named by the revocation; what state that is in is the caller's to ask. */
export function isNamedBy(
	revocation: Revocation,
	{
		name,
		tag,
		manifestSha256,
	}: { readonly name: string; readonly tag: string; readonly manifestSha256: string },
): boolean {
	if (revocation.name !== name) return false;
	return (
		revocation.tags.includes(tag) ||
		revocation.builds.some((build) => build.manifestSha256 === manifestSha256)
	);
}

/** The canonical payload: fields in fixed order, lists sorted, two spaces of indentation, a final newline. */
function serializeRevocation(revocation: Revocation): Uint8Array {
	const { id, name, state, tags, builds, advisory, reason, issued } = revocation;
	const file = {
		schema: REVOCATION_SCHEMA,
		id,
		name,
		state,
		tags: [...tags].sort(),
		builds: [...builds]
			.sort((a, b) => (a.manifestSha256 < b.manifestSha256 ? -1 : 1))
			.map(({ version, manifestSha256 }) => ({ version, manifestSha256 })),
		advisory,
		reason,
		issued,
	};
	return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}

function parseRevocation(payload: Uint8Array): Revocation {
	const text = decodeUtf8(payload, REVOCATION_LIMITS.payloadBytes);
	const file = text === undefined ? undefined : parseStrictJson(text);
	if (!hasExactly(file, FIELDS)) throw malformed("its payload is not JSON with its nine fields");
	if (file.schema !== REVOCATION_SCHEMA) throw malformed(`its schema is not ${REVOCATION_SCHEMA}`);
	const revocation: Revocation = {
		id: matching(file.id, /^[0-9a-f]{32}$/, "id is not 32 lowercase hex digits"),
		name: matching(file.name, NAME, "name is not a bundle name"),
		state: stateOf(file.state),
		tags: listOf(file.tags, REVOCATION_LIMITS.tags, "tags").map((tag) =>
			matching(tag, /^kfn1:[0-9a-f]{64}$/, "tags hold something else than tags"),
		),
		builds: listOf(file.builds, REVOCATION_LIMITS.builds, "builds").map(buildOf),
		advisory:
			file.advisory === null
				? null
				: matching(file.advisory, /^[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}$/, "advisory is not an id or null"),
		reason: reasonOf(file.reason),
		issued: timeOf(file.issued),
	};
	const { tags, builds } = revocation;
	if (tags.length + builds.length === 0) throw malformed("it revokes nothing");
	if (new Set([...tags, ...builds.map((build) => build.manifestSha256)]).size < tags.length + builds.length)
		throw malformed("it names something twice");
	if (Buffer.from(payload).equals(serializeRevocation(revocation))) return revocation;
	throw malformed("its payload is not in its canonical spelling (order, indentation, final newline)");
}

function stateOf(value: unknown): Revocation["state"] {
	if (value === "revoked" || value === "withdrawn") return value;
	throw malformed("its state is neither revoked nor withdrawn");
}

function listOf(value: unknown, limit: number, field: string): readonly unknown[] {
	if (Array.isArray(value) && value.length <= limit) return value;
	throw malformed(`its ${field} are not a list of at most ${limit}`);
}

function buildOf(value: unknown): RevokedBuild {
	if (!hasExactly(value, ["version", "manifestSha256"]))
		throw malformed("one of its builds does not have exactly version and manifestSha256");
	const { version } = value;
	if (typeof version !== "string" || !isVersion(version)) throw malformed("a build's version is none");
	const manifestSha256 = matching(
		value.manifestSha256,
		DIGEST,
		"builds' manifestSha256 is not 64 lowercase hex digits",
	);
	return { version, manifestSha256 };
}

function reasonOf(value: unknown): string {
	if (typeof value !== "string" || value.length === 0 || value.length > REVOCATION_LIMITS.reason)
		throw malformed(`its reason is not a text of 1 to ${REVOCATION_LIMITS.reason} characters`);
	if (UNPRINTABLE.test(value) || value.trim() !== value)
		throw malformed("its reason holds control or format characters, or blanks at an end");
	return value;
}

function timeOf(value: unknown): string {
	if (typeof value === "string" && isTufTime(value)) return value;
	throw malformed("its issued is not a time, YYYY-MM-DDTHH:MM:SSZ");
}

function matching(value: unknown, pattern: RegExp, why: string): string {
	if (typeof value === "string" && pattern.test(value)) return value;
	throw malformed(`its ${why}`);
}

function malformed(why: string): SigningError {
	return new SigningError("REVOCATION_MALFORMED", `the revocation is malformed: ${why}`, {
		hint: "do not use it; get it again from its publisher",
		details: { why },
	});
}
