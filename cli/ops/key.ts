// kfn key: makes and shows the keys of publishers and of a registry's signers. Refuses to overwrite a key and to write one unencrypted.

import { unlink } from "node:fs/promises";
import { generateKeyPair } from "#signing/ed25519.ts";
import { formatPublicKeyFile, type PublicKey, parsePublicKeyFile } from "#signing/public-key.ts";
import { encryptSecretKey, publicKeyOfSecretFile } from "#signing/secret-key-file.ts";
import { tufKeyId, tufKeyOf } from "#signing/tuf/key.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput, writeOutput } from "../files.ts";
import { askPassphrase } from "../passphrase.ts";

const KEY_FILE_LIMIT = 64 * 1024;

export async function generateKey(
	context: Context,
	input: { out: string; comment: string },
): Promise<Output> {
	const passphrase = await askPassphrase(context, "passphrase for the new key", true);
	const secret = await generateKeyPair(input.comment);
	const text = await encryptSecretKey(secret, passphrase);
	const publicFile = `${input.out}.pub`;
	// The public file first: a failure must not leave a secret key behind that nobody knows of.
	await writeOutput(publicFile, formatPublicKeyFile(secret.publicKey), { overwrite: false });
	try {
		await writeOutput(input.out, text, { overwrite: false, mode: 0o600 });
	} catch (error) {
		await unlink(publicFile);
		throw error;
	}
	return {
		json: { ...keyDocument(secret.publicKey), secretFile: input.out, publicFile },
		text: [
			`secret key  ${input.out} (encrypted)`,
			`public key  ${publicFile}`,
			`key id      ${secret.publicKey.keyid}`,
		].join("\n"),
	};
}

export async function showKey(_context: Context, input: { file: string }): Promise<Output> {
	const text = Buffer.from(await readInput(input.file, KEY_FILE_LIMIT)).toString("utf8");
	const key = text.startsWith("kfn-ed25519-secret") ? publicKeyOfSecretFile(text) : parsePublicKeyFile(text);
	return {
		json: keyDocument(key),
		text: [
			`key id   ${key.keyid}`,
			`tuf id   ${tufKeyId(tufKeyOf(key))}`,
			formatPublicKeyFile(key).trimEnd(),
		].join("\n"),
	};
}

/** `tufId` names the same key in TUF metadata, where a key id is a digest of another spelling. */
function keyDocument(key: PublicKey): { keyid: string; tufId: string; publicKey: string } {
	const { keyid } = key;
	return { keyid, tufId: tufKeyId(tufKeyOf(key)), publicKey: formatPublicKeyFile(key).trimEnd() };
}
