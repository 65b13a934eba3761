// kfn sign: adds signatures to a bundle, in place. Refuses to sign what is not a sound bundle: a signature says that
// the signer has looked.

import { openBundle, writeBundle } from "#bundle/bundle.ts";
import { sha256 } from "#bundle/digest.ts";
import { addSignature, parseSignatureFile } from "#signing/signature-file.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput, writeOutput } from "../files.ts";
import { openSigningKeys } from "../signing-keys.ts";

export async function sign(
	context: Context,
	input: { file: string; keys: readonly string[] },
): Promise<Output> {
	const bundle = await openBundle(await readInput(input.file));
	const keys = await openSigningKeys(context, input.keys);
	let signatures = bundle.signatureBytes;
	for (const key of keys) signatures = await addSignature(signatures, key, bundle.manifestBytes);
	const archive = writeBundle(bundle.manifestBytes, signatures, bundle.files);
	await writeOutput(input.file, archive, { overwrite: true });
	const keyids = parseSignatureFile(signatures).map(({ keyid }) => keyid);
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
