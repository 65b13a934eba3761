// kfn kernel-key: the keys whose signatures the kernel itself checks (docs/formats/kernel-signatures.md). Refuses to overwrite a key and to
// write one unencrypted.

import { unlink } from "node:fs/promises";
import { parseKernelCertificate } from "#signing/kernel/certificate.ts";
import { generateKernelKey } from "#signing/kernel/secret-key.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { writeOutput } from "../files.ts";
import { askPassphrase } from "../passphrase.ts";

export async function generateKernelSigner(
	context: Context,
	input: { out: string; subject: string },
): Promise<Output> {
	const passphrase = await askPassphrase(context, "passphrase for the new key", true);
	const { pem, certificate } = await generateKernelKey(input.subject, passphrase, new Date());
	const certificateFile = `${input.out}.der`;
	// The certificate first: a failure must not leave a secret key behind that nobody knows of.
	await writeOutput(certificateFile, certificate, { overwrite: false });
	try {
		await writeOutput(input.out, pem, { overwrite: false, mode: 0o600 });
	} catch (error) {
		await unlink(certificateFile);
		throw error;
	}
	const { keyid, subject } = parseKernelCertificate(certificate);
	return {
		json: { keyid, subject, secretFile: input.out, certificateFile },
		text: [
			`secret key   ${input.out} (encrypted)`,
			`certificate  ${certificateFile} (${subject})`,
			`key id       ${keyid}`,
		].join("\n"),
	};
}
