// The key that a command signs programs with for the kernel, and the signing itself.

import type { KeyObject } from "node:crypto";
import type { Bundle } from "#bundle/bundle.ts";
import { instructionsOf, programDigests } from "#bundle/instructions.ts";
import { type KernelCertificate, parseKernelCertificate } from "#signing/kernel/certificate.ts";
import { isEncryptedPem, openKernelKey, signInstructions } from "#signing/kernel/secret-key.ts";
import { parseKernelSignatures, serializeKernelSignatures } from "#signing/kernel/signature-file.ts";
import type { Context } from "./context.ts";
import { CliError } from "./errors.ts";
import { readInput } from "./files.ts";
import { askPassphrase } from "./passphrase.ts";

const KEY_FILE_LIMIT = 64 * 1024;

export interface KernelSigner {
	readonly secret: KeyObject;
	readonly certificate: KernelCertificate;
}

/** Opens a PEM key and its certificate; without a name for that, it is the one that `kfn kernel-key generate` puts beside the key. */
export async function openKernelSigner(
	context: Context,
	keyFile: string,
	certificateFile = `${keyFile}.der`,
): Promise<KernelSigner> {
	const certificate = parseKernelCertificate(await readInput(certificateFile, KEY_FILE_LIMIT));
	const pem = Buffer.from(await readInput(keyFile, KEY_FILE_LIMIT)).toString("utf8");
	const passphrase = isEncryptedPem(pem)
		? await askPassphrase(context, `passphrase for ${keyFile}`, false)
		: undefined;
	return { secret: openKernelKey(pem, passphrase), certificate };
}

/** kfn.kernel-sig.json for a bundle; CLI_KERNEL_UNSIGNABLE where no program of it can be signed. */
export function signForKernel(bundle: Bundle, { secret, certificate }: KernelSigner): Uint8Array {
	const streams = [...instructionsOf(bundle)];
	if (streams.length === 0) {
		throw new CliError("CLI_KERNEL_UNSIGNABLE", "no program of the bundle can be signed for the kernel", {
			hint: "the host decides bytes of each when it is loaded; write it without maps and CO-RE",
		});
	}
	return serializeKernelSignatures(
		streams.map(([insnsDigest, insns]) => ({
			insnsDigest,
			pkcs7: signInstructions(insns, secret, certificate),
		})),
	);
}

/** Key ids of the certificates that a bundle is signed with for the kernel. KERNEL_SIGNATURE_MALFORMED. */
export function kernelKeysOf({ kernelSignatureBytes, manifest }: Bundle): string[] {
	const signatures = parseKernelSignatures(kernelSignatureBytes, programDigests(manifest));
	return [...new Set(signatures.map(({ keyid }) => keyid))].sort();
}
