// A bundle as a whole: opens an archive and believes nothing of it but signatures (signing/ checks those); makes new ones.
import { type ArchiveEntry, collectArchive, LIMITS, packArchive, readArchive } from "./archive.ts";
import { type Digest, sha256 } from "./digest.ts";
import { BundleError } from "./errors.ts";
import { type Manifest, parseManifest, serializeManifest } from "./manifest.ts";
import { checkObjects, contentsOf } from "./object-agreement.ts";
import type { PackageManifest } from "./package-manifest.ts";
import { KERNEL_SIGNATURE_PATH, MANIFEST_PATH, SIGNATURE_PATH } from "./path.ts";
import { plain } from "./plain.ts";
import { tagOf } from "./tag.ts";
import { checkNames, checkVectorFits, parseVectors, type Vector } from "./vectors.ts";

/** What a bundle holds; consistent in itself, but its signatures are unverified. */
export interface BundleContents {
	readonly manifest: Manifest;
	/** The exact bytes that are signed. */
	readonly manifestBytes: Uint8Array;
	readonly manifestDigest: Digest;
	/** kfn.sig.json, unparsed. */
	readonly signatureBytes: Uint8Array;
	/** kfn.kernel-sig.json, unparsed; undefined where the bundle has none. */
	readonly kernelSignatureBytes: Uint8Array | undefined;
	/** Every file that the manifest names, by path. */
	readonly files: ReadonlyMap<string, Uint8Array>;
	readonly vectors: readonly Vector[];
}

export interface Bundle extends BundleContents {
	/** Digest of the archive. */
	readonly sha256: Digest;
	/** Size of the archive in bytes. */
	readonly size: number;
}

export interface AssembleInput {
	readonly package: PackageManifest;
	/** The staged tree: sources, objects, vectors and documents by bundle path. */
	readonly files: ReadonlyMap<string, Uint8Array>;
	readonly compiler: { readonly name: "clang"; readonly version: string; readonly flags: readonly string[] };
}

export interface AssembledBundle {
	readonly manifest: Manifest;
	/** Sign these, then call `writeBundle`. */
	readonly manifestBytes: Uint8Array;
	readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * Opens an archive: layout, limits, every file named with its size and digest, tag, objects against the manifest, vectors.
 * Signatures are NOT checked. Every refusal is a BundleError; an error of the source itself passes through.
 */
export async function openBundle(archive: Uint8Array | AsyncIterable<Uint8Array>): Promise<Bundle> {
	const bytes = await collectArchive(archive);
	const contents = openContents(await readArchive(bytes));
	return { ...contents, sha256: sha256(bytes), size: bytes.length };
}

/** As `openBundle`, for entries that are already unpacked (a store folder). */
export function openContents(entries: Iterable<ArchiveEntry>): BundleContents {
	const files = new Map<string, Uint8Array>();
	for (const { path, bytes } of entries) {
		if (files.has(path)) throw new BundleError("BUNDLE_DUPLICATE_ENTRY", `"${plain(path)}" is there twice`);
		files.set(path, bytes);
	}
	const manifestBytes = take(files, MANIFEST_PATH, LIMITS.manifestBytes);
	const signatureBytes = take(files, SIGNATURE_PATH, LIMITS.signatureBytes);
	const kernelSignatureBytes = files.has(KERNEL_SIGNATURE_PATH)
		? take(files, KERNEL_SIGNATURE_PATH, LIMITS.kernelSignatureBytes)
		: undefined;
	const manifest = parseManifest(manifestBytes);
	checkFiles(manifest, files);
	checkObjects(manifest, files);
	const vectors = readVectors(manifest, files);
	return {
		manifest,
		manifestBytes,
		manifestDigest: sha256(manifestBytes),
		signatureBytes,
		kernelSignatureBytes,
		files,
		vectors,
	};
}

function take(files: Map<string, Uint8Array>, path: string, limit: number): Uint8Array {
	const bytes = files.get(path);
	if (bytes === undefined) {
		throw new BundleError("BUNDLE_MISSING_ENTRY", `${path} is not in the archive`, { details: { path } });
	}
	if (bytes.length > limit) {
		throw new BundleError("BUNDLE_TOO_LARGE", `${path} has ${bytes.length} bytes; the limit is ${limit}`);
	}
	files.delete(path);
	return bytes;
}

function checkFiles(manifest: Manifest, files: ReadonlyMap<string, Uint8Array>): void {
	const named = new Set(manifest.files.map((file) => file.path));
	for (const path of files.keys()) {
		if (named.has(path)) continue;
		throw new BundleError("BUNDLE_UNNAMED_ENTRY", `the manifest does not name "${plain(path)}"`, {
			details: { path: plain(path) },
		});
	}
	for (const { path, size, sha256: said } of manifest.files) {
		const bytes = files.get(path);
		const details = { path };
		if (bytes === undefined) {
			throw new BundleError("BUNDLE_MISSING_ENTRY", `${path} is not in the archive`, { details });
		}
		if (bytes.length !== size) {
			throw new BundleError(
				"BUNDLE_FILE_DIGEST",
				`${path} has ${bytes.length} bytes, the manifest says ${size}`,
				{
					details,
				},
			);
		}
		const found = sha256(bytes);
		if (found !== said) {
			throw new BundleError("BUNDLE_FILE_DIGEST", `${path} has sha256 ${found}, the manifest says ${said}`, {
				details: { ...details, said, found },
			});
		}
	}
}

function readVectors(manifest: Manifest, files: ReadonlyMap<string, Uint8Array>): Vector[] {
	const vectors = manifest.vectors.flatMap((path) => parseVectors(files.get(path)!, path));
	checkNames(vectors);
	for (const variant of manifest.variants) {
		const types = new Map(variant.programs.map((program) => [program.name, program.type]));
		for (const vector of vectors) checkVectorFits(vector, types);
	}
	return vectors;
}

/**
 * Makes the manifest for a staged tree and checks the result as strictly as `openBundle` does.
 * Programs are read from the objects; files are taken as they are, all of them. BundleError for everything that does not fit.
 */
export function assembleBundle(input: AssembleInput): AssembledBundle {
	const source = input.package;
	const records = [...input.files]
		.map(([path, bytes]) => ({ path, size: bytes.length, sha256: sha256(bytes) }))
		.sort((a, b) => (a.path < b.path ? -1 : 1));
	const paths = records.map((record) => record.path);
	const sources = records.filter((record) => record.path.startsWith("src/"));
	const draft: Manifest = {
		schema: "kfn.bundle/1",
		name: source.name,
		version: source.version,
		summary: source.summary,
		...(source.experimental === undefined ? {} : { experimental: source.experimental }),
		license: source.license,
		function: source.function,
		tag: { value: tagOf(sources), files: sources.map((record) => record.path) },
		variants: source.units.map((unit) => ({
			name: unit.variant,
			object: unit.object,
			requires: unit.requires,
			...contentsOf(unit.object, input.files.get(unit.object)),
		})),
		config: source.config,
		state: source.state,
		vectors: paths.filter((path) => path.startsWith("vectors/")),
		fixes: source.fixes,
		build: {
			compiler: input.compiler.name,
			version: input.compiler.version,
			flags: input.compiler.flags,
			units: source.units.map((unit) => ({ source: unit.source, object: unit.object })),
		},
		files: records,
	};
	const manifestBytes = serializeManifest(draft);
	const { manifest } = openContents(allEntries(manifestBytes, new Uint8Array(), input.files));
	return { manifest, manifestBytes, files: input.files };
}

function allEntries(
	manifestBytes: Uint8Array,
	signatureBytes: Uint8Array,
	files: ReadonlyMap<string, Uint8Array>,
	kernelSignatureBytes?: Uint8Array | undefined,
): ArchiveEntry[] {
	return [
		{ path: MANIFEST_PATH, bytes: manifestBytes },
		{ path: SIGNATURE_PATH, bytes: signatureBytes },
		...(kernelSignatureBytes === undefined
			? []
			: [{ path: KERNEL_SIGNATURE_PATH, bytes: kernelSignatureBytes }]),
		...[...files].map(([path, bytes]) => ({ path, bytes })),
	];
}

/**
 * The archive of a manifest, its signature files and the files that it names; the same input gives the same bytes.
 * Refuses what `openBundle` would refuse.
 */
export function writeBundle(
	manifestBytes: Uint8Array,
	signatureBytes: Uint8Array,
	files: ReadonlyMap<string, Uint8Array>,
	kernelSignatureBytes?: Uint8Array | undefined,
): Uint8Array {
	const entries = allEntries(manifestBytes, signatureBytes, files, kernelSignatureBytes);
	openContents(entries);
	return packArchive(entries);
}
