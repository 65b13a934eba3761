// kfn sign: adds signatures to a bundle, in place; with --kernel, those that the kernel itself can check. Refuses to sign what is not a sound bundle, or another one than was there
// when the command started: a signature says that the signer has looked.

import { type Bundle, openBundle, writeBundle } from "#bundle/bundle.ts";
import { addSignature, parseSignatureFile } from "#signing/signature-file.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { kernelKeysOf, openKernelSigner, signForKernel } from "../kernel-signing.ts";
import { rewriteFile } from "../rewrite.ts";
import { openSigningKeys } from "../signing-keys.ts";

export interface SignInput {
	readonly file: string;
	readonly keys: readonly string[];
	/** PEM file of the key whose signatures the kernel checks. */
	readonly kernelKey: string | undefined;
	readonly certificate: string | undefined;
}

export async function sign(context: Context, input: SignInput): Promise<Output> {
	const { file, kernelKey, certificate } = input;
	if (certificate !== undefined && kernelKey === undefined)
		throw new CliError("CLI_USAGE", "--certificate goes with --kernel");
	const bundle = await openBundle(await readInput(file));
	const keys =
		kernelKey !== undefined && input.keys.length === 0 ? [] : await openSigningKeys(context, input.keys);
	const signer =
		kernelKey === undefined ? undefined : await openKernelSigner(context, kernelKey, certificate);
	const forKernel = signer && signForKernel(bundle, signer);
	let archive: Uint8Array = new Uint8Array();
	// Passphrases were asked for before: nobody waits for the lock while a person types.
	await rewriteFile(file, async (bytes) => {
		const now = await openBundle(bytes);
		if (now.manifestDigest !== bundle.manifestDigest) throw replaced(file);
		let signatures = now.signatureBytes;
		for (const key of keys) signatures = await addSignature(signatures, key, now.manifestBytes);
		archive = writeBundle(now.manifestBytes, signatures, now.files, forKernel ?? now.kernelSignatureBytes);
		return archive;
	});
	return signedOutput(file, await openBundle(archive));
}

function signedOutput(file: string, bundle: Bundle): Output {
	const { name, version } = bundle.manifest;
	const signatures = parseSignatureFile(bundle.signatureBytes).map(({ keyid }) => keyid);
	const kernelKeys = kernelKeysOf(bundle);
	const byKernel = kernelKeys.length === 0 ? "" : `; for the kernel by ${kernelKeys.join(", ")}`;
	return {
		json: {
			name,
			version,
			file,
			sha256: bundle.sha256,
			manifestSha256: bundle.manifestDigest,
			signatures,
			kernelKeys,
		},
		text: `${name} ${version} signed by ${signatures.join(", ") || "nobody"}${byKernel}`,
	};
}

function replaced(file: string): CliError {
	return new CliError("CLI_FILE_BUSY", `${file} was not signed: it became another bundle meanwhile`, {
		hint: "look at what is there now (kfn inspect), then sign that",
	});
}
