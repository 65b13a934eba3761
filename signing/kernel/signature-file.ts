// kfn.kernel-sig.json, the signatures that the kernel itself can check (docs/formats/kernel-signatures.md). Refuses every spelling but the
// canonical one, and one that is not of exactly the bundle's programs; says nothing of whether a signature is valid: the kernel does.
import { decodeBase64OfAnyLength, encodeBase64 } from "../base64.ts";
import { SigningError } from "../errors.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "../strict-json.ts";
import { PKCS7_BYTES, parsePkcs7 } from "./pkcs7.ts";

export const KERNEL_SIGNATURES_SCHEMA = "kfn.kernel-signatures/1";
export const KERNEL_SIGNATURES_BYTES = 32 * 1024;

export interface KernelSignature {
	/** Of the program's instruction bytes. */
	readonly insnsDigest: string;
	readonly pkcs7: Uint8Array;
	/** The subjectKeyIdentifier of the signer's certificate, in lowercase hex. */
	readonly keyid: string;
}

/** The canonical bytes: sorted by digest, two spaces of indentation, a final newline. */
export function serializeKernelSignatures(
	signatures: Iterable<Pick<KernelSignature, "insnsDigest" | "pkcs7">>,
): Uint8Array {
	const sorted = [...signatures].sort((a, b) => (a.insnsDigest < b.insnsDigest ? -1 : 1));
	const programs = sorted.map(({ insnsDigest, pkcs7 }) => ({ insnsDigest, pkcs7: encodeBase64(pkcs7) }));
	return new TextEncoder().encode(
		`${JSON.stringify({ schema: KERNEL_SIGNATURES_SCHEMA, programs }, null, 2)}\n`,
	);
}

/**
 * Parses the file of a bundle whose programs have `digests` (those that have one); no file is no signature.
 * KERNEL_SIGNATURE_MALFORMED for anything but what {@link serializeKernelSignatures} writes for exactly these programs.
 */
export function parseKernelSignatures(
	bytes: Uint8Array | undefined,
	digests: Iterable<string | null>,
): readonly KernelSignature[] {
	if (bytes === undefined) return [];
	const text = decodeUtf8(bytes, KERNEL_SIGNATURES_BYTES);
	const file = text === undefined ? undefined : parseStrictJson(text);
	if (!hasExactly(file, ["schema", "programs"]) || !Array.isArray(file.programs))
		throw malformed("it is not JSON with its two fields");
	if (file.schema !== KERNEL_SIGNATURES_SCHEMA)
		throw malformed(`its schema is not ${KERNEL_SIGNATURES_SCHEMA}`);
	const signatures = file.programs.map(parseEntry);
	if (!Buffer.from(bytes).equals(serializeKernelSignatures(signatures)))
		throw malformed("it is not in its canonical spelling");
	const wanted = [...new Set(digests)].filter((digest) => digest !== null).sort();
	if (wanted.join() !== signatures.map(({ insnsDigest }) => insnsDigest).join())
		throw malformed("it does not sign exactly the programs of the bundle that can be signed");
	return signatures;
}

function parseEntry(entry: unknown): KernelSignature {
	if (!hasExactly(entry, ["insnsDigest", "pkcs7"]))
		throw malformed("an entry does not have exactly insnsDigest and pkcs7");
	const { insnsDigest, pkcs7 } = entry;
	if (typeof insnsDigest !== "string" || !/^[0-9a-f]{64}$/.test(insnsDigest))
		throw malformed("an insnsDigest is not 64 lowercase hex digits");
	const isText = typeof pkcs7 === "string" && pkcs7.length <= PKCS7_BYTES * 2;
	const bytes = isText ? decodeBase64OfAnyLength(pkcs7) : undefined;
	const parsed = bytes && parsePkcs7(bytes);
	if (bytes === undefined || parsed === undefined)
		throw malformed("a pkcs7 is not the base64 of a detached SHA-256 and RSA signature in its one spelling");
	return { insnsDigest, pkcs7: bytes, keyid: Buffer.from(parsed.keyid).toString("hex") };
}

function malformed(why: string): SigningError {
	return new SigningError("KERNEL_SIGNATURE_MALFORMED", `kfn.kernel-sig.json is malformed: ${why}`, {
		hint: "do not use this bundle; get it again, and tell its publisher if it stays so",
	});
}
