// A list of {keyid, sig}, as signature files and DSSE envelopes hold it. Refuses a key twice and every second spelling;
// says nothing about whether a signature is valid or of whom: that is verify.ts.
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { type SecretKey, SIGNATURE_BYTES, sign } from "./ed25519.ts";
import { SigningError } from "./errors.ts";
import type { KeyId } from "./public-key.ts";
import { hasExactly } from "./strict-json.ts";

/** One listed signature: unverified until verify.ts has seen it. */
export interface Signature {
	readonly keyid: KeyId;
	/** R || S, 64 bytes. */
	readonly sig: Uint8Array;
}

/** The most signatures that a list holds. */
export const MOST_SIGNATURES = 64;

/** Makes the error of the format that holds the list. */
export type Malformed = (why: string) => SigningError;

/**
 * Reads the list; the order is kept. An empty list is well-formed (and never verifies).
 * SIGNATURE_REPEATED: a key twice. Whatever else is wrong is the caller's `malformed`.
 */
export function parseSignatureList(value: unknown, malformed: Malformed): readonly Signature[] {
	if (!Array.isArray(value)) throw malformed("its signatures are not a list");
	if (value.length > MOST_SIGNATURES) {
		throw malformed(`it lists ${value.length} signatures, more than ${MOST_SIGNATURES}`);
	}
	const signatures = value.map((entry, index) => parseEntry(entry, index, malformed));
	refuseRepeats(signatures);
	return signatures;
}

/** The list's one spelling as a JSON value: sorted by key id. SIGNATURE_REPEATED: a key twice. */
export function signatureListValue(signatures: Iterable<Signature>): { keyid: string; sig: string }[] {
	const sorted = [...signatures].sort((a, b) => (a.keyid < b.keyid ? -1 : a.keyid > b.keyid ? 1 : 0));
	refuseRepeats(sorted);
	return sorted.map(({ keyid, sig }) => ({ keyid, sig: encodeBase64(sig) }));
}

/**
 * The list with `secret`'s signature over `message` added. An earlier signature of the same key is replaced, so that a
 * retry gives the same list; others are kept unverified. SIGNATURE_TOO_MANY beyond 64.
 */
export async function withSignature(
	signatures: readonly Signature[],
	secret: SecretKey,
	message: Uint8Array,
): Promise<readonly Signature[]> {
	const { keyid } = secret.publicKey;
	const others = signatures.filter((signature) => signature.keyid !== keyid);
	if (others.length >= MOST_SIGNATURES) {
		throw new SigningError("SIGNATURE_TOO_MANY", `the file already lists ${others.length} signatures`, {
			hint: `sign with fewer keys; a file holds at most ${MOST_SIGNATURES} signatures`,
		});
	}
	return [...others, { keyid, sig: await sign(secret, message) }];
}

function parseEntry(entry: unknown, index: number, malformed: Malformed): Signature {
	if (!hasExactly(entry, ["keyid", "sig"]))
		throw malformed(`signature ${index + 1} does not have exactly keyid and sig`);
	const { keyid, sig } = entry;
	if (typeof keyid !== "string" || !/^[0-9a-f]{64}$/.test(keyid)) {
		throw malformed(`the keyid of signature ${index + 1} is not 64 lowercase hex digits`);
	}
	const bytes = typeof sig === "string" ? decodeBase64(sig, SIGNATURE_BYTES) : undefined;
	if (bytes === undefined)
		throw malformed(`the sig of signature ${index + 1} is not canonical base64 of 64 bytes`);
	return { keyid: keyid as KeyId, sig: bytes };
}

function refuseRepeats(signatures: readonly Signature[]): void {
	const seen = new Set<KeyId>();
	for (const { keyid } of signatures) {
		if (seen.has(keyid)) {
			throw new SigningError("SIGNATURE_REPEATED", `the key ${keyid} is listed twice`, {
				hint: "do not use it: a signer lists each key once",
				details: { keyid },
			});
		}
		seen.add(keyid);
	}
}
