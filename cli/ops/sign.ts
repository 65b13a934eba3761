// kfn sign: adds signatures to a bundle, in place. Refuses to sign what is not a sound bundle, or another one than was there
// when the command started: a signature says that the signer has looked.

import { openBundle, writeBundle } from "#bundle/bundle.ts";
import { sha256 } from "#bundle/digest.ts";
import { addSignature, parseSignatureFile } from "#signing/signature-file.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { readInput } from "../files.ts";
import { rewriteFile } from "../rewrite.ts";
import { openSigningKeys } from "../signing-keys.ts";

export async function sign(
	context: Context,
	input: { file: string; keys: readonly string[] },
): Promise<Output> {
	const bundle = await openBundle(await readInput(input.file));
	const keys = await openSigningKeys(context, input.keys);
	let archive: Uint8Array = new Uint8Array();
	let keyids: string[] = [];
	// Passphrases were asked for before: nobody waits for the lock while a person types.
	await rewriteFile(input.file, async (bytes) => {
		const now = await openBundle(bytes);
		if (now.manifestDigest !== bundle.manifestDigest) throw replaced(input.file);
		let signatures = now.signatureBytes;
		for (const key of keys) signatures = await addSignature(signatures, key, now.manifestBytes);
		keyids = parseSignatureFile(signatures).map(({ keyid }) => keyid);
		archive = writeBundle(now.manifestBytes, signatures, now.files);
		return archive;
	});
	const { name, version } = bundle.manifest;
	return {
		json: {
			name,
			version,
			file: input.file,
			sha256: sha256(archive),
			manifestSha256: bundle.manifestDigest,
			signatures: keyids,
		},
		text: `${name} ${version} signed by ${keyids.join(", ")}`,
	};
}

function replaced(file: string): CliError {
	return new CliError("CLI_FILE_BUSY", `${file} was not signed: it became another bundle meanwhile`, {
		hint: "look at what is there now (kfn inspect), then sign that",
	});
}
