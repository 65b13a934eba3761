// X.509 certificates of keys whose signatures the kernel checks: makes a self-signed one as the kernel's own documentation asks for
// (Documentation/admin-guide/module-signing.rst), and reads what is needed of any. Refuses keys other than RSA: every kernel that checks
// signatures has RSA built in, and says of a key whose algorithm is a module not loaded yet that its signature is false.
import { createHash, createPublicKey, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { SigningError } from "../errors.ts";
import { contextTag, DER, der, digDer, readDer } from "./der.ts";

/** Bits of modulus: what is shorter is weak, what is longer the kernel does not take (crypto/rsa_helper.c). */
const RSA_BITS = { least: 2048, most: 4096 };

const OID = {
	commonName: Buffer.from("550403", "hex"),
	keyUsage: Buffer.from("551d0f", "hex"),
	subjectKeyIdentifier: Buffer.from("551d0e", "hex"),
	authorityKeyIdentifier: Buffer.from("551d23", "hex"),
	basicConstraints: Buffer.from("551d13", "hex"),
	sha256WithRsa: Buffer.from("2a864886f70d01010b", "hex"),
};
const SHA256_WITH_RSA = der(DER.sequence, der(DER.oid, OID.sha256WithRsa), der(DER.null));
const TRUE = der(DER.boolean, Buffer.from([0xff]));

export interface KernelCertificate {
	readonly der: Uint8Array;
	/** The subjectKeyIdentifier in lowercase hex; the kernel shows it behind the subject in /proc/keys. */
	readonly keyid: string;
	readonly subject: string;
	readonly publicKey: KeyObject;
}

/** Reads a certificate in PEM or DER. KERNEL_KEY_UNUSABLE where the kernel could not check signatures with it. */
export function parseKernelCertificate(bytes: Uint8Array): KernelCertificate {
	const certificate = openCertificate(bytes);
	const raw = new Uint8Array(certificate.raw);
	const keyid = subjectKeyIdentifierOf(raw);
	if (keyid === undefined) {
		throw unusable(
			"the certificate has no subjectKeyIdentifier",
			"the kernel finds a signer by it: make the certificate again with that extension",
		);
	}
	checkRsa(certificate.publicKey);
	const subject = certificate.subject.replaceAll("\n", ", ").replace(/[^\x20-\x7e]/g, "?");
	return { der: raw, keyid: Buffer.from(keyid).toString("hex"), subject, publicKey: certificate.publicKey };
}

function openCertificate(bytes: Uint8Array): X509Certificate {
	try {
		return new X509Certificate(bytes);
	} catch (cause) {
		throw new SigningError("KERNEL_KEY_UNUSABLE", "the file is not an X.509 certificate in DER or PEM", {
			cause,
		});
	}
}

/** KERNEL_KEY_UNUSABLE unless it is an RSA key of 2,048 to 4,096 bits. */
export function checkRsa(key: KeyObject): void {
	const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
	if (key.asymmetricKeyType === "rsa" && bits >= RSA_BITS.least && bits <= RSA_BITS.most) return;
	throw unusable(
		`the key is ${key.asymmetricKeyType} ${bits || ""}`.trimEnd(),
		`only RSA of ${RSA_BITS.least} to ${RSA_BITS.most} bits is checked by every kernel that checks signatures`,
	);
}

function subjectKeyIdentifierOf(raw: Uint8Array): Uint8Array | undefined {
	const fields = readDer(digDer(raw, [0, DER.sequence], [0, DER.sequence]) ?? new Uint8Array());
	const explicit = fields?.find(({ tag }) => tag === contextTag(3));
	const list = explicit && digDer(explicit.content, [0, DER.sequence]);
	for (const extension of (list && readDer(list)) ?? []) {
		const parts = readDer(extension.content) ?? [];
		if (!Buffer.from(parts[0]?.content ?? []).equals(OID.subjectKeyIdentifier)) continue;
		const keyid = digDer(parts.at(-1)!.content, [0, DER.octetString]);
		return keyid !== undefined && keyid.length > 0 && keyid.length <= 64 ? keyid : undefined;
	}
	return undefined;
}

/** A self-signed certificate in DER. It does not expire: the kernel does not look, and enrolling is what gives and ends trust. */
export function makeKernelCertificate(secret: KeyObject, commonName: string, from: Date): Uint8Array {
	const publicKey = createPublicKey(secret).export({ type: "spki", format: "der" });
	const bits = digDer(publicKey, [0, DER.sequence], [1, DER.bitString])!;
	// RFC 5280 §4.2.1.2, method 1: over the bit string without the byte that counts its unused bits.
	const keyid = createHash("sha1").update(bits.subarray(1)).digest();
	const name = der(
		DER.sequence,
		der(
			DER.set,
			der(DER.sequence, der(DER.oid, OID.commonName), der(DER.utf8String, Buffer.from(commonName))),
		),
	);
	const body = der(
		DER.sequence,
		der(contextTag(0), der(DER.integer, Buffer.from([2]))),
		der(DER.integer, serialNumber()),
		SHA256_WITH_RSA,
		name,
		der(DER.sequence, time(from), der(DER.generalizedTime, Buffer.from("99991231235959Z"))),
		name,
		publicKey,
		der(contextTag(3), der(DER.sequence, ...extensions(keyid))),
	);
	const signature = sign("sha256", body, secret);
	return der(DER.sequence, body, SHA256_WITH_RSA, der(DER.bitString, Buffer.from([0]), signature));
}

function extensions(keyid: Uint8Array): Buffer[] {
	const extension = (oid: Uint8Array, critical: boolean, value: Uint8Array) =>
		der(DER.sequence, der(DER.oid, oid), ...(critical ? [TRUE] : []), der(DER.octetString, value));
	const digitalSignature = der(DER.bitString, Buffer.from([7, 0x80]));
	return [
		extension(OID.basicConstraints, true, der(DER.sequence)),
		extension(OID.keyUsage, true, digitalSignature),
		extension(OID.subjectKeyIdentifier, false, der(DER.octetString, keyid)),
		extension(OID.authorityKeyIdentifier, false, der(DER.sequence, der(contextTag(0, false), keyid))),
	];
}

/** 127 random bits: positive, and in its shortest form because the topmost of them is set. */
function serialNumber(): Buffer {
	const serial = randomBytes(16);
	serial[0] = (serial[0]! & 0x7f) | 0x40;
	return serial;
}

/** UTCTime up to 2049, GeneralizedTime after (RFC 5280 §4.1.2.5): the kernel takes each for its years only. */
function time(at: Date): Buffer {
	const digits = `${at.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
	return at.getUTCFullYear() < 2050
		? der(DER.utcTime, Buffer.from(digits.slice(2)))
		: der(DER.generalizedTime, Buffer.from(digits));
}

function unusable(message: string, hint: string): SigningError {
	return new SigningError("KERNEL_KEY_UNUSABLE", message, { hint });
}
