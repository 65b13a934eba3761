// kfn build: a package folder becomes a bundle. Refuses to overwrite another bundle unless told to.

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeBundle } from "#bundle/bundle.ts";
import { sha256 } from "#bundle/digest.ts";
import { addSignature, parseSignatureFile, serializeSignatureFile } from "#signing/signature-file.ts";
import { findCompiler } from "../build/compile.ts";
import { buildPackage } from "../build/package.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { writeOutput } from "../files.ts";
import { openSigningKeys } from "../signing-keys.ts";

export interface BuildInput {
	readonly dir: string;
	readonly out: string;
	readonly keys: readonly string[];
	readonly force: boolean;
	/** Leave the file alone when it holds exactly these bytes: builds are deterministic. */
	readonly ifChanged: boolean;
}

export async function build(context: Context, input: BuildInput): Promise<Output> {
	const keys = input.keys.length === 0 ? [] : await openSigningKeys(context, input.keys);
	const built = await buildPackage(context, await findCompiler(), input.dir);
	const { manifest, manifestBytes, files, unjailed } = built;
	let signatures = serializeSignatureFile([]);
	for (const key of keys) signatures = await addSignature(signatures, key, manifestBytes);
	const archive = writeBundle(manifestBytes, signatures, files);
	const file = await outputFile(input.out, `${manifest.name}-${manifest.version}.kfn`);
	const written = !(input.ifChanged && (await holds(file, archive)));
	if (written) await writeOutput(file, archive, { overwrite: input.force || input.ifChanged });
	const document = {
		name: manifest.name,
		version: manifest.version,
		tag: manifest.tag.value,
		file,
		size: archive.byteLength,
		sha256: sha256(archive),
		manifestSha256: sha256(manifestBytes),
		signatures: parseSignatureFile(signatures).map(({ keyid }) => keyid),
		written,
		jailed: unjailed === undefined,
	};
	return {
		json: document,
		text: [
			`${document.name} ${document.version}`,
			`tag     ${document.tag}`,
			`file    ${file} (${document.size} bytes)`,
			`sha256  ${document.sha256}`,
			keys.length === 0
				? "signed  no (kfn sign adds a signature)"
				: `signed  ${document.signatures.join(", ")}`,
			...(unjailed === undefined ? [] : [`jail    none: ${unjailed}`]),
		].join("\n"),
	};
}

async function outputFile(out: string, name: string): Promise<string> {
	if (out.endsWith(".kfn")) return out;
	const folder = await stat(out).catch(() => undefined);
	if (folder?.isDirectory() === true) return join(out, name);
	// A name that is no folder and has no suffix is taken as said, as `cc -o` would.
	return out.endsWith("/") ? join(out, name) : out;
}

async function holds(path: string, bytes: Uint8Array): Promise<boolean> {
	try {
		return Buffer.from(bytes).equals(await readFile(path));
	} catch {
		return false;
	}
}
