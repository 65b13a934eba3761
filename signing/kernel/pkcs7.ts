// The PKCS#7 signature (CMS SignedData, RFC 5652) that the kernel checks over a program's instructions: detached, without certificates
// and attributes, SHA-256 with RSA. One spelling for each signature, the one that `openssl cms -sign` writes; refuses every other,
// so that the kernel's parser sees no bytes that somebody else arranged.
import { contextTag, DER, der, digDer } from "./der.ts";

/** Enough for RSA of 4,096 bits; the kernel stops at 8 KiB (bpf_prog_verify_signature, kernel/bpf/syscall.c). */
export const PKCS7_BYTES = 1024;
const RSA_BYTES = { least: 256, most: 512 };
const KEYID_BYTES = 64;

const OID = {
	data: Buffer.from("2a864886f70d010701", "hex"),
	signedData: Buffer.from("2a864886f70d010702", "hex"),
	sha256: Buffer.from("608648016503040201", "hex"),
	rsaEncryption: Buffer.from("2a864886f70d010101", "hex"),
};
const SHA256 = der(DER.sequence, der(DER.oid, OID.sha256));
const RSA = der(DER.sequence, der(DER.oid, OID.rsaEncryption), der(DER.null));
const VERSION_3 = der(DER.integer, Buffer.from([3]));

export interface Pkcs7Signature {
	/** The signer's subjectKeyIdentifier: by it the kernel finds the certificate. */
	readonly keyid: Uint8Array;
	/** RSASSA-PKCS1-v1_5 with SHA-256 over the signed bytes. */
	readonly sig: Uint8Array;
}

/** The DER of a ContentInfo that holds the signature. */
export function serializePkcs7({ keyid, sig }: Pkcs7Signature): Uint8Array {
	const signer = [VERSION_3, der(contextTag(0, false), keyid), SHA256, RSA, der(DER.octetString, sig)];
	const signedData = der(
		DER.sequence,
		VERSION_3,
		der(DER.set, SHA256),
		der(DER.sequence, der(DER.oid, OID.data)),
		der(DER.set, der(DER.sequence, ...signer)),
	);
	return der(DER.sequence, der(DER.oid, OID.signedData), der(contextTag(0), signedData));
}

/** Undefined for anything but what {@link serializePkcs7} writes. */
export function parsePkcs7(bytes: Uint8Array): Pkcs7Signature | undefined {
	if (bytes.length > PKCS7_BYTES) return undefined;
	const signer = digDer(
		bytes,
		...([
			[0, DER.sequence],
			[1, contextTag(0)],
			[0, DER.sequence],
			[3, DER.set],
			[0, DER.sequence],
		] as const),
	);
	const keyid = signer && digDer(signer, [1, contextTag(0, false)]);
	const sig = signer && digDer(signer, [4, DER.octetString]);
	if (keyid === undefined || keyid.length === 0 || keyid.length > KEYID_BYTES) return undefined;
	if (sig === undefined || sig.length < RSA_BYTES.least || sig.length > RSA_BYTES.most) return undefined;
	return Buffer.from(bytes).equals(serializePkcs7({ keyid, sig })) ? { keyid, sig } : undefined;
}
