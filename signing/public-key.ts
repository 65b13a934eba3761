// Ed25519 public keys and their one-line text form (docs/formats/keys.md). Refuses keys of small order and second
// encodings of a point already here, so that no later step ever holds one.
import { createHash } from "node:crypto";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { plain, SigningError } from "./errors.ts";

/** sha256 over the 32 raw public bytes, as 64 lowercase hex digits. */
export type KeyId = string & { readonly __brand: "KeyId" };

export interface PublicKey {
	readonly keyid: KeyId;
	/** RFC 8032 §5.1.2 encoding, 32 bytes, canonical, not of small order. */
	readonly bytes: Uint8Array;
	/** Free text for people, printable ASCII, at most 128 characters; never part of what is trusted. */
	readonly comment: string;
}

export const PUBLIC_KEY_BYTES = 32;
const COMMENT = /^(?:[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?)?$/;
const LINE = /^kfn-ed25519 ([0-9a-f]{64}) ([A-Za-z0-9+/]{43}=)(?: (.*))?$/;

/** The text as a key id; KEY_MALFORMED when it is not 64 lowercase hex digits. */
export function parseKeyId(text: string): KeyId {
	if (!/^[0-9a-f]{64}$/.test(text)) {
		throw new SigningError("KEY_MALFORMED", `"${plain(text)}" is not a key id: 64 lowercase hex digits`);
	}
	return text as KeyId;
}

/**
 * Takes 32 raw bytes as a public key.
 * KEY_WEAK: a point of small order (1, 2, 4 or 8), under which anyone can make a signature that fits any message.
 * KEY_MALFORMED: not 32 bytes, not the one encoding of its point (RFC 8032 §5.1.3, y < p), or an unfit comment.
 */
export function publicKeyOfBytes(bytes: Uint8Array, comment = ""): PublicKey {
	if (bytes.byteLength !== PUBLIC_KEY_BYTES) {
		throw new SigningError("KEY_MALFORMED", `a public key has 32 bytes, not ${bytes.byteLength}`);
	}
	if (!COMMENT.test(comment)) {
		throw new SigningError("KEY_MALFORMED", `"${plain(comment)}" cannot be a key's comment`, {
			hint: "use at most 128 printable ASCII characters, without spaces at the ends",
		});
	}
	const own = new Uint8Array(bytes);
	const keyid = createHash("sha256").update(own).digest("hex") as KeyId;
	if (isSmallOrder(own)) {
		throw new SigningError("KEY_WEAK", `the key ${keyid} is a point of small order`, {
			hint: "this is an attack or a broken generator; ask the publisher for another key over another channel",
			details: { keyid },
		});
	}
	if (!isCanonical(own)) {
		throw new SigningError("KEY_MALFORMED", `the key ${keyid} is not the canonical encoding of a point`);
	}
	return { keyid, bytes: own, comment };
}

/**
 * Parses `kfn-ed25519 <keyid> <base64 of 32 bytes>[ <comment>]`, one line without its end.
 * KEY_MALFORMED, KEY_ID_MISMATCH (the key id is not that of the bytes), KEY_WEAK.
 */
export function parsePublicKey(line: string): PublicKey {
	const match = LINE.exec(line);
	const bytes = match?.[2] === undefined ? undefined : decodeBase64(match[2], PUBLIC_KEY_BYTES);
	if (match === null || bytes === undefined || match[3] === "") {
		throw new SigningError("KEY_MALFORMED", `"${plain(line)}" is not a public key line`, {
			hint: "expected: kfn-ed25519 <64 hex digits> <base64 of 32 bytes> [comment]",
		});
	}
	const key = publicKeyOfBytes(bytes, match[3] ?? "");
	if (key.keyid !== match[1]) {
		throw new SigningError("KEY_ID_MISMATCH", `the key says it is ${match[1]}, but it is ${key.keyid}`, {
			hint: "the line was damaged or put together from two keys; get it again from the publisher",
			details: { stated: match[1], actual: key.keyid },
		});
	}
	return key;
}

/** The one line that {@link parsePublicKey} takes, without a line end. */
export function formatPublicKey(key: PublicKey): string {
	const line = `kfn-ed25519 ${key.keyid} ${encodeBase64(key.bytes)}`;
	return key.comment === "" ? line : `${line} ${key.comment}`;
}

/** Parses a `.pub` file: one public key line; its line end may be missing. Errors as {@link parsePublicKey}. */
export function parsePublicKeyFile(text: string): PublicKey {
	return parsePublicKey(text.endsWith("\n") ? text.slice(0, -1) : text);
}

/** The text of a `.pub` file. */
export function formatPublicKeyFile(key: PublicKey): string {
	return `${formatPublicKey(key)}\n`;
}

/**
 * The y of every point of order 1, 2, 4 and 8, little-endian, sign bit clear, with the encodings y + p that a lenient
 * decoder takes for the same points. Both sign bits of each make the 14 encodings that exist; the tests derive them
 * from the curve's equation. A list, because libsodium-wrappers has no test for small order.
 */
const SMALL_ORDER_Y: ReadonlySet<string> = new Set([
	`00${"00".repeat(31)}`,
	`01${"00".repeat(31)}`,
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	`ec${"ff".repeat(30)}7f`,
	`ed${"ff".repeat(30)}7f`,
	`ee${"ff".repeat(30)}7f`,
]);

function isSmallOrder(bytes: Uint8Array): boolean {
	const y = Buffer.from(bytes);
	y[31] = y[31]! & 0x7f;
	return SMALL_ORDER_Y.has(y.toString("hex"));
}

/** y < p = 2^255 - 19: only the 19 values from p on have all middle bytes set. */
function isCanonical(bytes: Uint8Array): boolean {
	const high = (bytes[31]! & 0x7f) === 0x7f && bytes.subarray(1, 31).every((byte) => byte === 0xff);
	return !(high && bytes[0]! >= 0xed);
}
