// The secret RSA keys behind kernel-checked signatures: PKCS#8 in PEM, so that openssl and whatever guards keys for it can use them.
// Refuses to write one unencrypted, and never puts any part of one into an error.
import {
	createPrivateKey,
	createPublicKey,
	generateKeyPair,
	type KeyObject,
	sign,
	verify,
} from "node:crypto";
import { promisify } from "node:util";
import { SigningError } from "../errors.ts";
import { checkRsa, type KernelCertificate, makeKernelCertificate } from "./certificate.ts";
import { serializePkcs7 } from "./pkcs7.ts";

const BITS = 3072;

/** Whether the PEM needs a passphrase. */
export function isEncryptedPem(pem: string): boolean {
	return /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem);
}

/** A new key in encrypted PEM and its self-signed certificate in DER. */
export async function generateKernelKey(
	commonName: string,
	passphrase: string,
	now: Date,
): Promise<{ pem: string; certificate: Uint8Array }> {
	if (passphrase === "") {
		throw new SigningError("KEY_PASSPHRASE_UNUSABLE", "the passphrase is empty");
	}
	const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: BITS });
	const pem = privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase });
	return { pem: String(pem), certificate: makeKernelCertificate(privateKey, commonName, now) };
}

/** KEY_WRONG_PASSPHRASE; KEY_MALFORMED for what is not a PEM key; KERNEL_KEY_UNUSABLE for one that is not RSA. */
export function openKernelKey(pem: string, passphrase: string | undefined): KeyObject {
	const key = readPem(pem, passphrase);
	checkRsa(createPublicKey(key));
	return key;
}

function readPem(pem: string, passphrase: string | undefined): KeyObject {
	try {
		return createPrivateKey({ key: pem, format: "pem", ...(passphrase === undefined ? {} : { passphrase }) });
	} catch {
		// Without the cause: OpenSSL's errors may quote what they could not read.
		if (passphrase === undefined) {
			throw new SigningError("KEY_MALFORMED", "the file is not a private key in PEM", {
				hint: "kfn kernel-key generate makes one; openssl genpkey as well",
			});
		}
		throw new SigningError("KEY_WRONG_PASSPHRASE", "the passphrase does not open this key file", {
			hint: "type it again; if it is surely right, the file was changed: take it from a backup",
		});
	}
}

/** The PKCS#7 over a program's instruction bytes. KERNEL_KEY_UNUSABLE where the certificate is not the key's. */
export function signInstructions(
	insns: Uint8Array,
	secret: KeyObject,
	certificate: KernelCertificate,
): Uint8Array {
	const sig = sign("sha256", insns, secret);
	if (!verify("sha256", insns, certificate.publicKey, sig)) {
		throw new SigningError("KERNEL_KEY_UNUSABLE", "the certificate is of another key", {
			hint: "name the certificate that was made with the key (--certificate)",
		});
	}
	return serializePkcs7({ keyid: Buffer.from(certificate.keyid, "hex"), sig });
}
