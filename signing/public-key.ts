// Ed25519 public keys and their one-line text form (docs/formats/keys.md). Refuses points outside the group of prime
// order and second encodings already here, so that no later step ever holds one.
import { createHash } from "node:crypto";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { kindOfPoint } from "./curve-point.ts";
import { plain, SigningError } from "./errors.ts";

/** sha256 over the 32 raw public bytes, as 64 lowercase hex digits. */
export type KeyId = string & { readonly __brand: "KeyId" };

export interface PublicKey {
	readonly keyid: KeyId;
	/** RFC 8032 §5.1.2 encoding, 32 bytes, canonical, of prime order. */
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
 * KEY_WEAK: a point of small order, under which anyone can make a signature that fits many messages, or one with a
 * small-order component, on which verifiers disagree. KEY_MALFORMED: not 32 bytes, not a point
 * of the curve (RFC 8032 §5.1.3), or an unfit comment.
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
	const kind = kindOfPoint(own);
	if (kind === "weak") {
		throw new SigningError("KEY_WEAK", `the key ${keyid} is not in the group of prime order`, {
			hint: "this is an attack or a broken generator; ask the publisher for another key over another channel",
			details: { keyid },
		});
	}
	if (kind === "no-point") {
		throw new SigningError("KEY_MALFORMED", `the key ${keyid} is not a point of the curve`);
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
