// kfn kernel-key: the keys whose signatures the kernel itself checks (docs/formats/kernel-signatures.md). Refuses to overwrite a key and to
// write one unencrypted.

import { unlink } from "node:fs/promises";
import { enrolledKeys, enrollKernelKey, kernelKeysStatus, removeKernelKey } from "#host/kernel-keys.ts";
import { withLock } from "#host/lock.ts";
import { parseKernelCertificate } from "#signing/kernel/certificate.ts";
import { generateKernelKey } from "#signing/kernel/secret-key.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput, writeOutput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";
import { askPassphrase } from "../passphrase.ts";

const CERTIFICATE_LIMIT = 64 * 1024;

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

export async function kernelKeyEnroll(context: Context, input: { file: string }): Promise<Output> {
	const certificate = parseKernelCertificate(await readInput(input.file, CERTIFICATE_LIMIT));
	const host = openContextHost(context);
	const changed = await withLock(host, "kernel-key enroll", async (lock) =>
		enrollKernelKey(lock, certificate),
	);
	const { keyid, subject } = certificate;
	return {
		json: { changed, keyid, subject, enrolled: enrolledKeys(host) },
		text: [
			`${keyid} (${subject}) ${changed ? "is enrolled" : "was enrolled already"}: kfn-load gives it to the kernel at each load`,
			"The kernel believes root for this key. One that even root cannot add is in the firmware or in the kernel itself; with",
			`shim, the machine's owner adds it to .machine: mokutil --import ${input.file}, then reboot and confirm.`,
		].join("\n"),
	};
}

export async function kernelKeyRemove(context: Context, input: { keyid: string }): Promise<Output> {
	const host = openContextHost(context);
	await withLock(host, "kernel-key remove", async (lock) => removeKernelKey(lock, input.keyid));
	return {
		json: { keyid: input.keyid, enrolled: enrolledKeys(host) },
		text: `${input.keyid} is not enrolled any more; what runs stays as it is`,
	};
}

export async function kernelKeyStatus(
	context: Context,
	input: { file: string | undefined },
): Promise<Output> {
	const asked =
		input.file === undefined
			? undefined
			: parseKernelCertificate(await readInput(input.file, CERTIFICATE_LIMIT));
	const report = await kernelKeysStatus(openContextHost(context), asked);
	const rows = report.keyrings.map(({ name, keys, usable }) => [
		name,
		keys === null ? "not there" : `${keys.length} keys`,
		usable ? "" : "counts where it is linked into .secondary_trusted_keys",
	]);
	const found = report.asked;
	const where = found?.keyrings.length
		? `is in ${found.keyrings.join(", ")}`
		: "is in no keyring that counts";
	return {
		json: report,
		text: [
			`the kernel checks signatures: ${report.kernel.have} (${report.kernel.reason})`,
			columns(rows),
			...report.enrolled.map(({ keyid, subject }) => `enrolled here: ${keyid} (${subject})`),
			...(report.problem === null ? [] : [`problem: ${report.problem}`]),
			...(found === null ? [] : [`${found.keyid} (${found.subject}) ${where}`]),
		].join("\n"),
	};
}
