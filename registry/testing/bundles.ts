// For tests only: real signed bundles of any name and version, from one compilation. Product code never imports it.
import { createHash } from "node:crypto";
import { assembleBundle, writeBundle } from "#bundle/bundle.ts";
import { parsePackageManifest } from "#bundle/package-manifest.ts";
import { sampleInput, samplePackage } from "#bundle/testing/sample.ts";
import type { SecretKey } from "#signing/ed25519.ts";
import { addSignature, serializeSignatureFile } from "#signing/signature-file.ts";
import { paths, targetPaths } from "../api/wire.ts";
import { testPublisher } from "./trust.ts";

export interface TestBundle {
	readonly name: string;
	readonly version: string;
	readonly archive: Uint8Array<ArrayBuffer>;
	readonly sha256: string;
	readonly tag: string;
	/** Where a registry that has it serves it. */
	readonly path: string;
}

let compiled: ReturnType<typeof sampleInput> | undefined;

/** `readme` makes other bytes under the same name and version; `signers` are other keys than the test publisher's, or none; `kernelSignatures` is a kfn.kernel-sig.json. */
export async function testBundle(
	changes: {
		name?: string;
		version?: string;
		readme?: string | Uint8Array;
		signers?: readonly SecretKey[];
		kernelSignatures?: string;
	} = {},
): Promise<TestBundle> {
	compiled ??= sampleInput();
	const { name = "sample", version = "1.0.0" } = changes;
	const files = new Map(compiled.files);
	if (changes.readme !== undefined) files.set("README.md", Buffer.from(changes.readme));
	const description = JSON.stringify({ ...samplePackage(), name, version });
	const { manifest, manifestBytes } = assembleBundle({
		package: parsePackageManifest(Buffer.from(description)),
		files,
		compiler: compiled.compiler,
	});
	let signatures = serializeSignatureFile([]);
	for (const signer of changes.signers ?? [await testPublisher()]) {
		signatures = await addSignature(signatures, signer, manifestBytes);
	}
	const { kernelSignatures } = changes;
	const forKernel = kernelSignatures === undefined ? undefined : Buffer.from(kernelSignatures);
	const archive = new Uint8Array(writeBundle(manifestBytes, signatures, files, forKernel));
	const sha256 = createHash("sha256").update(archive).digest("hex");
	const path = paths.target(targetPaths.archive(name, version), sha256);
	return { name, version, archive, sha256, tag: manifest.tag.value, path };
}
