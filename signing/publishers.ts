// The authorisation map: which keys, and how many of them, may sign which bundle names (docs/formats/publishers.md).
// Refuses to combine entries: the first that matches a name decides, alone.
import { plain, SigningError } from "./errors.ts";
import { keyMapRules } from "./key-map.ts";
import { formatPublicKey, type PublicKey } from "./public-key.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";

export interface Publisher {
	/** Bundle names, or a prefix followed by one final `*`. */
	readonly names: readonly string[];
	/** How many distinct keys of `keys` must have signed; 1 ≤ threshold ≤ keys.length. */
	readonly threshold: number;
	readonly keys: readonly PublicKey[];
	/** Keys that counted once; absent where there are none. */
	readonly revoked?: readonly RevokedKey[];
}

/** A key that signs nothing new: of what it signed, only these manifests go on, as if it still stood in `keys`. */
export interface RevokedKey {
	readonly key: PublicKey;
	/** Why, for people: 1 to 500 printable ASCII characters. */
	readonly reason: string;
	/** sha256 of each kfn.json that stays valid, 64 lowercase hex digits. */
	readonly manifests: readonly string[];
}

export interface Publishers {
	readonly publishers: readonly Publisher[];
}

export const PUBLISHERS_SCHEMA = "kfn.publishers/1";
export const PUBLISHERS_LIMITS = {
	fileBytes: 1024 * 1024,
	publishers: 1024,
	names: 256,
	keys: 64,
	manifests: 4096,
} as const;

const { listOf, refuseTwice, parseKey, parseThreshold } = keyMapRules(malformed);

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const PATTERN = /^(?:[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?|(?:[a-z0-9][a-z0-9-]{0,62})?\*)$/;

/**
 * Parses the bytes of publishers.json. White space and the order of fields are free (people edit this file); a field
 * twice, unknown or missing is not. PUBLISHERS_MALFORMED for all of it, with the place in the message; a bad key line is
 * PUBLISHERS_MALFORMED too, with the KEY_ error as its cause and `details.key`.
 */
export function parsePublishers(bytes: Uint8Array): Publishers {
	const text = decodeUtf8(bytes, PUBLISHERS_LIMITS.fileBytes);
	const file = text === undefined ? undefined : parseStrictJson(text);
	if (!hasExactly(file, ["schema", "publishers"]))
		throw malformed("it is not JSON with its two fields, each once");
	if (file.schema !== PUBLISHERS_SCHEMA) throw malformed(`its schema is not ${PUBLISHERS_SCHEMA}`);
	const publishers = listOf(file.publishers, 0, PUBLISHERS_LIMITS.publishers, "publishers").map(
		parsePublisher,
	);
	const patterns = publishers.flatMap((publisher) => publisher.names);
	// The second of two equal patterns never decides; whoever wrote it believes that it does.
	refuseTwice(patterns, (pattern) => `the name "${pattern}" stands in it twice`);
	return { publishers };
}

/**
 * The canonical bytes: fields in the order schema, publishers, names, threshold, keys, revoked (only where there are any), each
 * of those key, reason, manifests; two spaces; a final newline.
 */
export function serializePublishers(map: Publishers): Uint8Array {
	const publishers = map.publishers.map(({ names, threshold, keys, revoked = [] }) => ({
		names,
		threshold,
		keys: keys.map(formatPublicKey),
		...(revoked.length === 0 ? {} : { revoked: revoked.map(revokedDocument) }),
	}));
	return new TextEncoder().encode(`${JSON.stringify({ schema: PUBLISHERS_SCHEMA, publishers }, null, 2)}\n`);
}

/** The first entry with a pattern that matches the bundle's name. PUBLISHERS_NO_MATCH when there is none. */
export function publisherFor(map: Publishers, name: string): Publisher {
	const found = NAME.test(name)
		? map.publishers.find((publisher) => publisher.names.some((pattern) => matches(pattern, name)))
		: undefined;
	if (found === undefined) {
		throw new SigningError("PUBLISHERS_NO_MATCH", `no trusted publisher may sign "${plain(name)}"`, {
			hint: "check its publisher's key over another channel, then: kfn trust add NAME --key FILE",
			details: { name: plain(name) },
		});
	}
	return found;
}

function revokedDocument({ key, reason, manifests }: RevokedKey): unknown {
	return { key: formatPublicKey(key), reason, manifests };
}

function matches(pattern: string, name: string): boolean {
	return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

function parsePublisher(entry: unknown, index: number): Publisher {
	const where = `publisher ${index + 1}`;
	const withRevoked = hasExactly(entry, ["names", "threshold", "keys", "revoked"]);
	if (!withRevoked && !hasExactly(entry, ["names", "threshold", "keys"])) {
		throw malformed(`${where} does not have exactly names, threshold and keys, and perhaps revoked`);
	}
	const names = listOf(entry.names, 1, PUBLISHERS_LIMITS.names, `names of ${where}`).map((name) => {
		if (typeof name === "string" && PATTERN.test(name)) return name;
		throw malformed(`${where} has a name that is neither a bundle name nor a prefix with one final *`);
	});
	const keys = listOf(entry.keys, 1, PUBLISHERS_LIMITS.keys, `keys of ${where}`).map((line, at) =>
		parseKey(line, `key ${at + 1} of ${where}`),
	);
	const revoked = withRevoked
		? listOf(entry.revoked, 1, PUBLISHERS_LIMITS.keys, `revoked keys of ${where}`).map((item, at) =>
				parseRevoked(item, `revoked key ${at + 1} of ${where}`),
			)
		: [];
	refuseTwice(
		// In both lists it would count and not count.
		[...keys, ...revoked.map(({ key }) => key)].map((key) => key.keyid),
		(keyid) => `${where} has the key ${keyid} twice`,
	);
	const threshold = parseThreshold(entry.threshold, keys.length, where);
	return { names, threshold, keys, ...(withRevoked ? { revoked } : {}) };
}

function parseRevoked(item: unknown, where: string): RevokedKey {
	if (!hasExactly(item, ["key", "reason", "manifests"])) {
		throw malformed(`${where} does not have exactly key, reason and manifests`);
	}
	const { reason } = item;
	if (typeof reason !== "string" || !/^[\x20-\x7e]{1,500}$/.test(reason)) {
		throw malformed(`the reason of ${where} is not 1 to 500 printable ASCII characters`);
	}
	const manifests = listOf(item.manifests, 0, PUBLISHERS_LIMITS.manifests, `manifests of ${where}`).map(
		(digest) => {
			if (typeof digest === "string" && /^[0-9a-f]{64}$/.test(digest)) return digest;
			throw malformed(`a manifest of ${where} is not 64 lowercase hex digits`);
		},
	);
	refuseTwice(manifests, (digest) => `${where} has the manifest ${digest} twice`);
	return { key: parseKey(item.key, where), reason, manifests };
}

function malformed(
	why: string,
	more: { cause?: unknown; details?: Record<string, unknown> } = {},
): SigningError {
	return new SigningError("PUBLISHERS_MALFORMED", `publishers.json is malformed: ${why}`, {
		hint: "correct the file; nothing is trusted until it parses",
		...more,
	});
}
