// kfn.sig.json, the list of signatures over a bundle's manifest (docs/formats/signatures.md). Refuses every spelling but
// the canonical one; says nothing about whether a signature is valid or of whom: that is verify.ts.
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { MANIFEST_PAYLOAD_TYPE, pae } from "./dsse.ts";
import { type SecretKey, SIGNATURE_BYTES, sign } from "./ed25519.ts";
import { SigningError } from "./errors.ts";
import type { KeyId } from "./public-key.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";

/** One listed signature: unverified until verify.ts has seen it. */
export interface Signature {
	readonly keyid: KeyId;
	/** R || S, 64 bytes. */
	readonly sig: Uint8Array;
}

export const SIGNATURES_SCHEMA = "kfn.signatures/1";
export const SIGNATURE_LIMITS = { signatures: 64, fileBytes: 32 * 1024 } as const;

/**
 * Parses the bytes of kfn.sig.json; the result is sorted by key id. An empty list is well-formed (and never verifies).
 * SIGNATURE_REPEATED: a key twice. SIGNATURE_MALFORMED: anything but what {@link serializeSignatureFile} writes.
 */
export function parseSignatureFile(bytes: Uint8Array): readonly Signature[] {
	const text = decodeUtf8(bytes, SIGNATURE_LIMITS.fileBytes);
	const file = text === undefined ? undefined : parseStrictJson(text);
	if (!hasExactly(file, ["schema", "payloadType", "signatures"]))
		throw malformed("it is not JSON with its three fields");
	if (file.schema !== SIGNATURES_SCHEMA) throw malformed(`its schema is not ${SIGNATURES_SCHEMA}`);
	if (file.payloadType !== MANIFEST_PAYLOAD_TYPE)
		throw malformed(`its payloadType is not ${MANIFEST_PAYLOAD_TYPE}`);
	if (!Array.isArray(file.signatures)) throw malformed("its signatures are not a list");
	if (file.signatures.length > SIGNATURE_LIMITS.signatures) {
		throw malformed(
			`it lists ${file.signatures.length} signatures, more than ${SIGNATURE_LIMITS.signatures}`,
		);
	}
	const signatures = file.signatures.map(parseEntry);
	refuseRepeats(signatures);
	if (!Buffer.from(bytes).equals(serializeSignatureFile(signatures))) {
		throw malformed(
			"it is not in its canonical spelling (order of fields and key ids, indentation, final newline)",
		);
	}
	return signatures;
}

/** The canonical bytes: fields in fixed order, signatures sorted by key id, two spaces of indentation, a final newline. */
export function serializeSignatureFile(signatures: Iterable<Signature>): Uint8Array {
	const sorted = [...signatures].sort((a, b) => (a.keyid < b.keyid ? -1 : a.keyid > b.keyid ? 1 : 0));
	refuseRepeats(sorted);
	const file = {
		schema: SIGNATURES_SCHEMA,
		payloadType: MANIFEST_PAYLOAD_TYPE,
		signatures: sorted.map(({ keyid, sig }) => ({ keyid, sig: encodeBase64(sig) })),
	};
	return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}

/**
 * The file with `secret`'s signature over the manifest's bytes added; the bytes of an unsigned file are those of
 * `serializeSignatureFile([])`. An earlier signature of the same key is replaced, so a retry gives the same bytes.
 * Others are kept unverified. SIGNATURE_TOO_MANY beyond 64; errors of {@link parseSignatureFile}.
 */
export async function addSignature(
	file: Uint8Array,
	secret: SecretKey,
	manifestBytes: Uint8Array,
): Promise<Uint8Array> {
	const { keyid } = secret.publicKey;
	const others = parseSignatureFile(file).filter((signature) => signature.keyid !== keyid);
	if (others.length >= SIGNATURE_LIMITS.signatures) {
		throw new SigningError("SIGNATURE_TOO_MANY", `the file already lists ${others.length} signatures`, {
			hint: "sign with fewer keys; a bundle holds at most 64 signatures",
		});
	}
	const sig = await sign(secret, pae(MANIFEST_PAYLOAD_TYPE, manifestBytes));
	return serializeSignatureFile([...others, { keyid, sig }]);
}

function parseEntry(entry: unknown, index: number): Signature {
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
				hint: "do not use this bundle: a signer lists each key once",
				details: { keyid },
			});
		}
		seen.add(keyid);
	}
}

function malformed(why: string): SigningError {
	return new SigningError("SIGNATURE_MALFORMED", `kfn.sig.json is malformed: ${why}`, {
		hint: "do not use this bundle; get it again, and tell its publisher if it stays so",
	});
}
