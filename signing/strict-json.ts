// JSON as the trust files use it: UTF-8, size-limited, no key twice, no second spelling of a string or a number.
// Refuses to guess: what is not exactly that is undefined, and the caller names its own error.

/** The text of the bytes, or undefined when they are more than `limit` or are not UTF-8 (a BOM is kept, and so refused later). */
export function decodeUtf8(bytes: Uint8Array, limit: number): string | undefined {
	if (bytes.byteLength > limit) return undefined;
	try {
		return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch {
		return undefined;
	}
}

/**
 * Parses JSON whose white space and key order are free, and nothing else.
 * A key twice, `1.0` for `1`, `\u0061` for `a`: undefined. Parsers differ on which of two equal keys wins, and what the
 * host's TypeScript reads must be what its C loader reads.
 */
export function parseStrictJson(text: string): unknown {
	try {
		const value: unknown = JSON.parse(text);
		return JSON.stringify(value) === withoutWhiteSpace(text) ? value : undefined;
	} catch {
		return undefined;
	}
}

/** Only for text that JSON.parse has taken: there, every quote that opens a string also has one that closes it. */
function withoutWhiteSpace(json: string): string {
	return json.replace(/("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+/g, "$1");
}

/** True when `value` is an object with exactly these own fields, in any order. */
export function hasExactly<K extends string>(
	value: unknown,
	fields: readonly K[],
): value is Record<K, unknown> {
	if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
	return Object.keys(value).length === fields.length && fields.every((field) => Object.hasOwn(value, field));
}
