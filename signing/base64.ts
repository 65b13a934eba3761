// Base64 with one spelling per value (RFC 4648 §4, padded, zero trailing bits). Refuses everything that a lenient
// decoder would forgive: white space, the URL alphabet, missing padding, set trailing bits.

/** Decodes exactly `length` bytes; undefined when the text is not their one spelling. */
export function decodeBase64(text: string, length: number): Uint8Array | undefined {
	const bytes = decodeBase64OfAnyLength(text);
	return bytes?.byteLength === length ? bytes : undefined;
}

/** Decodes what may have any length; undefined when the text is not the one spelling of any bytes. */
export function decodeBase64OfAnyLength(text: string): Uint8Array | undefined {
	const bytes = Buffer.from(text, "base64");
	// Encoding again is the check: "QQ==" and "QR==" decode alike, and a signature must not have two spellings.
	return bytes.toString("base64") === text ? new Uint8Array(bytes) : undefined;
}

/** The one spelling that {@link decodeBase64} takes. */
export function encodeBase64(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
