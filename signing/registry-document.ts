// kfn/registry.json, a target that the registry's offline keys sign: which log is this registry's, and which witnesses watch it
// (docs/formats/log.md). Refuses every spelling but the canonical one, and keys that could pass for one another.
import { plain, SigningError } from "./errors.ts";
import type { LogTrust } from "./log/checkpoint.ts";
import { formatVerifierKey, parseVerifierKey, type VerifierKey } from "./log/note.ts";
import { formatPublicKey, type PublicKey, parsePublicKey } from "./public-key.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";

export const REGISTRY_DOCUMENT_SCHEMA = "kfn.registry/1";
export const REGISTRY_DOCUMENT_LIMITS = { fileBytes: 64 * 1024, witnesses: 16 } as const;

const FIELDS = ["schema", "origin", "log", "witnesses", "quorum"] as const;

/** What the registry's offline keys say of it. */
export interface RegistryDocument {
	/** The log's name, such as `registry.example/log`; the name of its key, too. */
	readonly origin: string;
	/** Null: this registry keeps no log. */
	readonly log: { readonly key: VerifierKey } | null;
	readonly witnesses: readonly VerifierKey[];
	/** Who signs the recall list (docs/formats/recall.md); absent: this registry has none. */
	readonly recall?: { readonly key: PublicKey } | undefined;
	/** How many of the witnesses must have cosigned a checkpoint before a host believes it. */
	readonly quorum: number;
}

/** TRUST_MALFORMED for all but what {@link serializeRegistryDocument} writes; errors of `parseVerifierKey`. */
export function parseRegistryDocument(bytes: Uint8Array): RegistryDocument {
	const text = decodeUtf8(bytes, REGISTRY_DOCUMENT_LIMITS.fileBytes);
	const file = text === undefined ? undefined : parseStrictJson(text);
	const withRecall = hasExactly(file, [...FIELDS, "recall"]);
	if (!withRecall && !hasExactly(file, FIELDS)) {
		throw malformed("it is not JSON with its five fields, and perhaps recall");
	}
	const { schema, origin, log, witnesses, quorum } = file;
	if (schema !== REGISTRY_DOCUMENT_SCHEMA) throw malformed(`its schema is not ${REGISTRY_DOCUMENT_SCHEMA}`);
	if (typeof origin !== "string" || typeof quorum !== "number" || !Array.isArray(witnesses)) {
		throw malformed("its origin is no text, its quorum no number, or its witnesses no list");
	}
	const document: RegistryDocument = {
		origin,
		log: log === null ? null : { key: keyOf(log) },
		witnesses: witnesses.map(keyOf),
		quorum,
		...(withRecall ? { recall: { key: recallKeyOf(file.recall) } } : {}),
	};
	if (!Buffer.from(bytes).equals(serializeRegistryDocument(document))) {
		throw malformed("it is not in its canonical spelling (order of fields, indentation, final newline)");
	}
	return document;
}

/** The canonical bytes. TRUST_MALFORMED for a document that no host would believe. */
export function serializeRegistryDocument(document: RegistryDocument): Uint8Array {
	demandSound(document);
	const { origin, log, witnesses, quorum, recall } = document;
	const file = {
		schema: REGISTRY_DOCUMENT_SCHEMA,
		origin,
		log: log === null ? null : { key: formatVerifierKey(log.key) },
		witnesses: witnesses.map((key) => ({ key: formatVerifierKey(key) })),
		quorum,
		...(recall === undefined ? {} : { recall: { key: formatPublicKey(recall.key) } }),
	};
	return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}

/** What {@link LogTrust} a host takes from the document; undefined when the registry keeps no log. */
export function logTrustOf({ origin, log, witnesses, quorum }: RegistryDocument): LogTrust | undefined {
	return log === null ? undefined : { origin, key: log.key, witnesses, quorum };
}

function demandSound({ origin, log, witnesses, quorum, recall }: RegistryDocument): void {
	if (!/^[!-*,-~]{1,255}$/.test(origin)) {
		throw malformed(
			`its origin "${plain(origin)}" is not 1 to 255 printable ASCII characters without space and plus`,
		);
	}
	// The name in the signature line should be the origin (tlog-checkpoint); that it must be leaves no second name to confuse.
	if (log !== null && log.key.name !== origin) throw malformed("the log's key is not named as its origin");
	if (log !== null && log.key.type !== "ed25519") throw malformed("the log's key is not for logs");
	const foreign = witnesses.find(({ type }) => type !== "cosignature");
	if (foreign !== undefined) throw malformed(`the key ${plain(foreign.name)} is not for witnesses`);
	if (witnesses.length > REGISTRY_DOCUMENT_LIMITS.witnesses) throw malformed("it names too many witnesses");
	if (!Number.isInteger(quorum) || quorum < 0 || quorum > witnesses.length) {
		throw malformed("its quorum is not between 0 and the number of its witnesses");
	}
	if (log === null && witnesses.length > 0)
		throw malformed("it names witnesses of a log that it does not have");
	// One key under two names would be one witness counted twice: an Ed25519 cosignature does not cover its signer's name.
	const keys = [...(log === null ? [] : [log.key]), ...witnesses];
	const ids = [
		...keys.map(({ publicKey }) => publicKey.keyid),
		...(recall === undefined ? [] : [recall.key.keyid]),
	];
	if (new Set(ids).size < ids.length) {
		throw malformed("it names a key twice");
	}
	if (new Set(keys.map(({ name }) => name)).size < keys.length) throw malformed("it uses a name twice");
}

function keyOf(entry: unknown): VerifierKey {
	if (!hasExactly(entry, ["key"]) || typeof entry.key !== "string")
		throw malformed("a key is not exactly { key }");
	return parseVerifierKey(entry.key);
}

function recallKeyOf(entry: unknown): PublicKey {
	if (!hasExactly(entry, ["key"]) || typeof entry.key !== "string")
		throw malformed("recall is not exactly { key }");
	return parsePublicKey(entry.key);
}

function malformed(why: string): SigningError {
	return new SigningError("TRUST_MALFORMED", `kfn/registry.json is malformed: ${why}`, {
		hint: "the registry's targets signers wrote it; ask them for a corrected one",
		details: { why },
	});
}
