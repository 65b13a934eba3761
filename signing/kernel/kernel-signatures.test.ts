import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SigningError } from "../errors.ts";
import { parseKernelCertificate } from "./certificate.ts";
import { parsePkcs7, serializePkcs7 } from "./pkcs7.ts";
import { generateKernelKey, isEncryptedPem, openKernelKey, signInstructions } from "./secret-key.ts";
import { parseKernelSignatures, serializeKernelSignatures } from "./signature-file.ts";

const PASSPHRASE = "of a key that lives for one test";
const INSNS = Buffer.from("b700000000000000950000000000000000", "hex").subarray(0, 16);
const DIGEST = createHash("sha256").update(INSNS).digest("hex");

let folder: string;
let made: { pem: string; certificate: Uint8Array };

beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), "kfn-kernel-key-"));
	made = await generateKernelKey("a test's key", PASSPHRASE, new Date("2026-11-29T00:00:00Z"));
	writeFileSync(join(folder, "key.pem"), made.pem);
	writeFileSync(join(folder, "cert.der"), made.certificate);
	writeFileSync(join(folder, "insns"), INSNS);
	openssl("x509", "-in", "cert.der", "-out", "cert.pem");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function openssl(...args: string[]): string {
	return execFileSync("openssl", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function ourSignature(): Uint8Array {
	return signInstructions(
		INSNS,
		openKernelKey(made.pem, PASSPHRASE),
		parseKernelCertificate(made.certificate),
	);
}

function codeOf(call: () => unknown): string | undefined {
	try {
		call();
		return undefined;
	} catch (error) {
		if (error instanceof SigningError) return error.code;
		throw error;
	}
}

describe("the certificate", () => {
	test("is a self-signed one that openssl verifies, with the extensions that the kernel asks for", () => {
		expect(openssl("verify", "-CAfile", "cert.pem", "-check_ss_sig", "cert.pem")).toContain("OK");
		const text = openssl("x509", "-in", "cert.pem", "-noout", "-text");
		for (const line of [
			"CN = a test's key",
			"CA:FALSE",
			"Digital Signature",
			"Not Before: Nov 29 00:00:00 2026 GMT",
		])
			expect(text).toContain(line);
		const { keyid, subject } = parseKernelCertificate(made.certificate);
		const shown = /Subject Key Identifier:\s*\n\s*(\S+)/.exec(text)![1]!;
		expect(keyid).toBe(shown.replaceAll(":", "").toLowerCase());
		expect(subject).toBe("CN=a test's key");
		expect(parseKernelCertificate(readFileSync(join(folder, "cert.pem")))).toMatchObject({ keyid });
	});

	test("of another kind of key, or without a subjectKeyIdentifier, is refused", () => {
		const request = ["req", "-x509", "-nodes", "-subj", "/CN=x", "-keyout", "other.pem", "-out", "other.crt"];
		openssl(...request, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256");
		const other = () => readFileSync(join(folder, "other.crt"));
		expect(codeOf(() => parseKernelCertificate(other()))).toBe("KERNEL_KEY_UNUSABLE");
		const pem = readFileSync(join(folder, "other.pem"), "utf8");
		expect(codeOf(() => openKernelKey(pem, undefined))).toBe("KERNEL_KEY_UNUSABLE");
		openssl(
			...request,
			"-newkey",
			"rsa:2048",
			"-config",
			"/dev/null",
			"-addext",
			"subjectKeyIdentifier=none",
		);
		expect(codeOf(() => parseKernelCertificate(other()))).toBe("KERNEL_KEY_UNUSABLE");
		expect(codeOf(() => parseKernelCertificate(Buffer.from("no certificate")))).toBe("KERNEL_KEY_UNUSABLE");
	});
});

describe("the secret key", () => {
	test("is encrypted, and opened by its passphrase only", () => {
		expect(isEncryptedPem(made.pem)).toBe(true);
		expect(codeOf(() => openKernelKey(made.pem, "another"))).toBe("KEY_WRONG_PASSPHRASE");
		expect(codeOf(() => openKernelKey("no key", undefined))).toBe("KEY_MALFORMED");
	});

	test("signs only with its own certificate", async () => {
		const other = await generateKernelKey("other", PASSPHRASE, new Date());
		const certificate = parseKernelCertificate(other.certificate);
		const secret = openKernelKey(made.pem, PASSPHRASE);
		expect(codeOf(() => signInstructions(INSNS, secret, certificate))).toBe("KERNEL_KEY_UNUSABLE");
	});
});

describe("the signature", () => {
	test("is byte for byte what `openssl cms` makes for the kernel", () => {
		const signer = ["-signer", "cert.pem", "-inkey", "key.pem", "-passin", `pass:${PASSPHRASE}`];
		const shape = ["-binary", "-nocerts", "-noattr", "-nosmimecap", "-keyid", "-md", "sha256"];
		const files = ["-in", "insns", "-outform", "DER", "-out", "openssl.p7s"];
		openssl("cms", "-sign", ...signer, ...shape, ...files);
		expect(Buffer.from(ourSignature())).toEqual(readFileSync(join(folder, "openssl.p7s")));
	});

	test("of one changed byte anywhere is another signature or none", () => {
		const bytes = ourSignature();
		const { keyid, sig } = parsePkcs7(bytes)!;
		expect(serializePkcs7({ keyid, sig })).toEqual(bytes);
		let refused = 0;
		for (let at = 0; at < bytes.length; at++) {
			const changed = Buffer.from(bytes);
			changed[at]! ^= 1;
			const parsed = parsePkcs7(changed);
			if (parsed === undefined) refused++;
			else expect(Buffer.from(serializePkcs7(parsed))).toEqual(changed);
		}
		// All but the key id and the signature itself.
		expect(refused).toBe(bytes.length - keyid.length - sig.length);
		expect(parsePkcs7(bytes.subarray(0, -1))).toBeUndefined();
		expect(parsePkcs7(Buffer.concat([bytes, Buffer.of(0)]))).toBeUndefined();
	});
});

describe("kfn.kernel-sig.json", () => {
	const file = () => serializeKernelSignatures([{ insnsDigest: DIGEST, pkcs7: ourSignature() }]);

	test("comes back as it was written; no file is no signature", () => {
		const { keyid } = parseKernelCertificate(made.certificate);
		expect(parseKernelSignatures(file(), [null, DIGEST, DIGEST])).toMatchObject([
			{ insnsDigest: DIGEST, keyid },
		]);
		expect(parseKernelSignatures(undefined, [DIGEST])).toEqual([]);
	});

	test.each([
		["another spelling", (text: string) => text.replace("  ", "   ")],
		["a field more", (text: string) => text.replace('"schema"', '"x": 1,\n  "schema"')],
		["another schema", (text: string) => text.replace("signatures/1", "signatures/2")],
		["a certificate beside it", (text: string) => text.replace("MII", "MIJ")],
		["no JSON", () => "{"],
		["a digest in upper case", (text: string) => text.replace(DIGEST, DIGEST.toUpperCase())],
	])("with %s is malformed", (_, change) => {
		const bytes = Buffer.from(change(Buffer.from(file()).toString()));
		expect(codeOf(() => parseKernelSignatures(bytes, [DIGEST]))).toBe("KERNEL_SIGNATURE_MALFORMED");
	});

	test("that leaves out a program, or signs one that the bundle does not have, is malformed", () => {
		const other = "0".repeat(64);
		for (const digests of [[DIGEST, other], [other], [null]])
			expect(codeOf(() => parseKernelSignatures(file(), digests))).toBe("KERNEL_SIGNATURE_MALFORMED");
	});
});
