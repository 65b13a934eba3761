// kfn.sig.json, the list of signatures over a bundle's manifest (docs/formats/signatures.md). Refuses every spelling but
// the canonical one; says nothing about whether a signature is valid or of whom: that is verify.ts.
import { MANIFEST_PAYLOAD_TYPE, pae } from "./dsse.ts";
import type { SecretKey } from "./ed25519.ts";
import { SigningError } from "./errors.ts";
import {
	MOST_SIGNATURES,
	parseSignatureList,
	type Signature,
	signatureListValue,
	withSignature,
} from "./signature-list.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";

export const SIGNATURES_SCHEMA = "kfn.signatures/1";
export const SIGNATURE_LIMITS = { signatures: MOST_SIGNATURES, fileBytes: 32 * 1024 } as const;

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
	const signatures = parseSignatureList(file.signatures, malformed);
	if (!Buffer.from(bytes).equals(serializeSignatureFile(signatures))) {
		throw malformed(
			"it is not in its canonical spelling (order of fields and key ids, indentation, final newline)",
		);
	}
	return signatures;
}

/** The canonical bytes: fields in fixed order, signatures sorted by key id, two spaces of indentation, a final newline. */
export function serializeSignatureFile(signatures: Iterable<Signature>): Uint8Array {
	const file = {
		schema: SIGNATURES_SCHEMA,
		payloadType: MANIFEST_PAYLOAD_TYPE,
		signatures: signatureListValue(signatures),
	};
	return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}

/**
 * The file with `secret`'s signature over the manifest's bytes added; the bytes of an unsigned file are those of
 * `serializeSignatureFile([])`. Replaces and keeps as {@link withSignature}; errors of it and of {@link parseSignatureFile}.
 */
export async function addSignature(
	file: Uint8Array,
	secret: SecretKey,
	manifestBytes: Uint8Array,
): Promise<Uint8Array> {
	const message = pae(MANIFEST_PAYLOAD_TYPE, manifestBytes);
	return serializeSignatureFile(await withSignature(parseSignatureFile(file), secret, message));
}

function malformed(why: string): SigningError {
	return new SigningError("SIGNATURE_MALFORMED", `kfn.sig.json is malformed: ${why}`, {
		hint: "do not use this bundle; get it again, and tell its publisher if it stays so",
	});
}
