// The secret keys that a command signs with: key files, opened with their passphrase, or the key in KFN_SIGNING_KEY.

import type { SecretKey } from "#signing/ed25519.ts";
import { decryptSecretKey, parseSeed } from "#signing/secret-key-file.ts";
import type { Context } from "./context.ts";
import { CliError } from "./errors.ts";
import { readInput } from "./files.ts";
import { askPassphrase } from "./passphrase.ts";

/** Opens `files`; when there are none, the environment's key. */
export async function openSigningKeys(context: Context, files: readonly string[]): Promise<SecretKey[]> {
	if (files.length > 0) {
		const keys: SecretKey[] = [];
		// One after the other: each may ask, and each takes Argon2id's memory.
		for (const file of files) keys.push(await openKeyFile(context, file));
		return keys;
	}
	const seed = context.env.signingKey;
	if (seed !== undefined) return [await parseSeed(seed)];
	throw new CliError("CLI_USAGE", "no key to sign with", { hint: "give --key FILE, or set KFN_SIGNING_KEY" });
}

async function openKeyFile(context: Context, file: string): Promise<SecretKey> {
	const text = Buffer.from(await readInput(file, 64 * 1024)).toString("utf8");
	const passphrase = await askPassphrase(context, `passphrase for ${file}`, false);
	context.onStep({ step: "opening key", detail: file });
	return decryptSecretKey(text, passphrase);
}
