// What golden sessions are laid out with: the example package of docs/formats, bundles made of it, the real CLI.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeBundle } from "#bundle/bundle.ts";
import { sampleBundle } from "#bundle/testing/sample.ts";
import { testPublisher } from "#registry/testing/trust.ts";
import { addSignature, serializeSignatureFile } from "#signing/signature-file.ts";
import type { Mask } from "../harness/masks.ts";

export const TOP = join(import.meta.dirname, "../..");
export const CLI = join(TOP, "node_modules/.bin/kfn");
export const PASSPHRASE = "golden passphrase";

/** What differs from machine to machine, not from run to run. */
export const MASKS: readonly Mask[] = [
	{ pattern: /\(\d+ bytes\)/g, name: "([SIZE] bytes)" },
	{ pattern: /clang \d+\.\d+\.\d+/g, name: "clang [VERSION]" },
];

/** All files of a folder by their path below it, under `prefix`. */
export function folderFiles(folder: string, prefix: string): Record<string, Uint8Array> {
	const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
		entry.isFile(),
	);
	return Object.fromEntries(
		entries.map((entry) => {
			const path = join(entry.parentPath, entry.name);
			return [`${prefix}/${path.slice(folder.length + 1)}`, readFileSync(path)];
		}),
	);
}

export const EXAMPLE_PACKAGE = join(TOP, "docs/formats/examples/package");

/** Three archives of `sample` 1.0.0: signed, unsigned, and signed with other contents. */
export async function sampleArchives(): Promise<Record<string, Uint8Array>> {
	const key = await testPublisher();
	const unsigned = serializeSignatureFile([]);
	const first = sampleBundle();
	const second = sampleBundle({ source: (text) => `${text}/* other */\n` });
	const signed = async ({ manifestBytes, files }: typeof first) =>
		writeBundle(manifestBytes, await addSignature(unsigned, key, manifestBytes), files);
	return {
		"sample-1.0.0.kfn": await signed(first),
		"unsigned-1.0.0.kfn": writeBundle(first.manifestBytes, unsigned, first.files),
		"other-bytes-1.0.0.kfn": await signed(second),
	};
}
