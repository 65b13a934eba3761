// The recall list: which names of a registry have revocations, and the digest of each name's document of them, for a day
// (docs/formats/recall.md). Refuses a list that could be kept for later: every one expires, and none is of the future.

import type { SecretKey } from "./ed25519.ts";
import {
	type DsseEnvelope,
	type PayloadForm,
	parseDsseEnvelope,
	serializeDsseEnvelope,
	signDsseEnvelope,
} from "./envelope.ts";
import { SigningError } from "./errors.ts";
import type { PublicKey } from "./public-key.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";
import { isTufTime } from "./tuf/time.ts";
import { verifyEnvelope } from "./verify.ts";

export const RECALL_LIST_PAYLOAD_TYPE = "application/vnd.kfn.recall-list.v1+json";
export const RECALL_LIST_SCHEMA = "kfn.recall/1";
export const RECALL_LIST_LIMITS = {
	names: 4096,
	payloadBytes: 1024 * 1024,
	envelopeBytes: 1536 * 1024,
	/** Of one name's document of revocations. */
	documentBytes: 8 * 1024 * 1024,
	/** From issue to expiry: who steals the key can keep none for longer. */
	days: 7,
	/** How far `issued` may lie ahead of the judge's clock. */
	skewSeconds: 300,
} as const;

/** One name's revocations, as the target `NAME/revocation.json` holds them. */
export interface RecalledName {
	readonly name: string;
	readonly sha256: string;
	/** Bytes. */
	readonly size: number;
}

export interface RecallList {
	/** From 1; grows by one with each list. */
	readonly sequence: number;
	/** `YYYY-MM-DDTHH:MM:SSZ`. */
	readonly issued: string;
	/** The first second at which it says nothing any more about what is not on it. */
	readonly expires: string;
	/** In byte order of the names. */
	readonly names: readonly RecalledName[];
}

declare const opened: unique symbol;

/** A list whose signature has been checked; made only by {@link openRecallList}. Time and sequence are not judged yet. */
export type OpenedRecallList = RecallList & { readonly [opened]: true };

const FORM: PayloadForm = {
	payloadType: RECALL_LIST_PAYLOAD_TYPE,
	payloadBytes: RECALL_LIST_LIMITS.payloadBytes,
	envelopeBytes: RECALL_LIST_LIMITS.envelopeBytes,
	malformed,
};
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const DAY = 86_400_000;

/** The file, signed by the registry's recall key. RECALL_LIST_MALFORMED where a field breaks the format. */
export async function signRecallList(list: RecallList, key: SecretKey): Promise<Uint8Array> {
	const payload = serializeList(list);
	parseList(payload);
	const unsigned: DsseEnvelope = { payloadType: RECALL_LIST_PAYLOAD_TYPE, payload, signatures: [] };
	return serializeDsseEnvelope(await signDsseEnvelope(unsigned, key));
}

/** What a file claims; RECALL_LIST_MALFORMED, and nothing is verified. */
export function unverifiedRecallList(bytes: Uint8Array): RecallList {
	return parseList(parseDsseEnvelope(bytes, FORM).payload);
}

/** Verifies that exactly the registry's recall key signed the file. RECALL_LIST_MALFORMED, the SIGNATURE_ codes. */
export async function openRecallList(bytes: Uint8Array, key: PublicKey): Promise<OpenedRecallList> {
	const envelope = parseDsseEnvelope(bytes, FORM);
	const signer = { names: [], threshold: 1, keys: [key] };
	const payload = await verifyEnvelope(envelope, RECALL_LIST_PAYLOAD_TYPE, signer, "recall list");
	return parseList(payload) as OpenedRecallList;
}

/**
 * Returns where the list counts at `now` for somebody who has seen `seen`. RECALL_LIST_ROLLBACK: a lower sequence, or another
 * list of the same one's time; RECALL_LIST_NOT_YET, RECALL_LIST_EXPIRED. The caller's clock must not go back.
 */
export function demandCurrentList(
	list: RecallList,
	seen: { readonly sequence: number } | undefined,
	now: Date,
): void {
	const { sequence, issued, expires } = list;
	if (seen !== undefined && sequence < seen.sequence) {
		throw new SigningError(
			"RECALL_LIST_ROLLBACK",
			`the recall list has sequence ${sequence}, and ${seen.sequence} was seen before`,
			{
				hint: "the registry or mirror shows an old one: it may be withholding a recall",
				details: { sequence, seen: seen.sequence },
			},
		);
	}
	if (Date.parse(issued) > now.getTime() + RECALL_LIST_LIMITS.skewSeconds * 1000) {
		throw new SigningError(
			"RECALL_LIST_NOT_YET",
			`the recall list counts from ${issued} on, and it is ${now.toISOString()}`,
			{
				hint: "check this machine's clock; if it is right, the registry's is wrong, or its recall key is in wrong hands",
				details: { issued },
			},
		);
	}
	if (Date.parse(expires) <= now.getTime()) {
		throw new SigningError("RECALL_LIST_EXPIRED", `the recall list expired at ${expires}`, {
			hint: "the registry or mirror shows an old one: it may be withholding a recall",
			details: { expires },
		});
	}
}

/** The canonical payload: fields in fixed order, names sorted, one line per name. */
function serializeList({ sequence, issued, expires, names }: RecallList): Uint8Array {
	const sorted = [...names].sort((a, b) => (a.name < b.name ? -1 : 1));
	const ordered = sorted.map(({ name, sha256, size }) => ({ name, sha256, size }));
	const file = { schema: RECALL_LIST_SCHEMA, sequence, issued, expires, names: ordered };
	// Small is what it is for: no white space.
	return new TextEncoder().encode(`${JSON.stringify(file)}\n`);
}

function parseList(payload: Uint8Array): RecallList {
	const text = decodeUtf8(payload, RECALL_LIST_LIMITS.payloadBytes);
	const file = text === undefined ? undefined : parseStrictJson(text);
	if (!hasExactly(file, ["schema", "sequence", "issued", "expires", "names"]))
		throw malformed("its payload is not JSON with its five fields");
	const { schema, sequence, issued, expires, names } = file;
	if (schema !== RECALL_LIST_SCHEMA) throw malformed(`its schema is not ${RECALL_LIST_SCHEMA}`);
	if (!isCount(sequence) || sequence < 1) throw malformed("its sequence is not a whole number from 1 on");
	if (!isTime(issued) || !isTime(expires)) throw malformed("its issued or expires is no time");
	const lasts = Date.parse(expires) - Date.parse(issued);
	if (!(lasts > 0 && lasts <= RECALL_LIST_LIMITS.days * DAY))
		throw malformed(`it does not expire 1 second to ${RECALL_LIST_LIMITS.days} days after its issue`);
	if (!Array.isArray(names) || names.length > RECALL_LIST_LIMITS.names)
		throw malformed(`its names are not a list of at most ${RECALL_LIST_LIMITS.names}`);
	const list: RecallList = { sequence, issued, expires, names: names.map(nameOf) };
	if (new Set(list.names.map(({ name }) => name)).size < names.length)
		throw malformed("a name stands in it twice");
	if (Buffer.from(payload).equals(serializeList(list))) return list;
	throw malformed("its payload is not in its canonical spelling (order, no white space, final newline)");
}

function nameOf(value: unknown): RecalledName {
	if (!hasExactly(value, ["name", "sha256", "size"]))
		throw malformed("a name does not have its three fields");
	const { name, sha256, size } = value;
	if (typeof name !== "string" || !NAME.test(name)) throw malformed("one of its names is no bundle name");
	if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) throw malformed("a digest is none");
	if (!isCount(size) || size > RECALL_LIST_LIMITS.documentBytes) throw malformed("a size is none");
	return { name, sha256, size };
}

function isCount(value: unknown): value is number {
	return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTime(value: unknown): value is string {
	return typeof value === "string" && isTufTime(value);
}

function malformed(why: string): SigningError {
	return new SigningError("RECALL_LIST_MALFORMED", `the recall list is malformed: ${why}`, {
		hint: "do not use it; the registry or mirror is broken or lying",
		details: { why },
	});
}
