// Opens a target by its consistent-snapshot name, FOLDER/SHA256.BASE: an archive or a document. Refuses bytes that the
// metadata never listed under this path, and damaged ones.
import { parseBundleName } from "#bundle/name.ts";
import { DOCUMENT_TARGETS } from "#signing/tuf/next-targets.ts";
import { RegistryError } from "../api/errors.ts";
import { targetPaths } from "../api/wire.ts";
import type { MetadataReads } from "../ports/metadata-store.ts";
import type { RegistryContext } from "./registry-context.ts";

export interface TargetName {
	/** The target path: FOLDER/BASE. */
	readonly path: string;
	readonly sha256: string;
	/** The bundle whose target it is; undefined for the two documents that belong to the whole registry. */
	readonly bundle: string | undefined;
}

export type OpenedTarget =
	| { readonly kind: "document"; readonly bytes: Uint8Array }
	| {
			readonly kind: "archive";
			/** Bytes. */
			readonly size: number;
			/** Verified while read: see BlobStore.open. Opened by the call, so it must be iterated or returned. */
			readonly open: () => Promise<AsyncIterableIterator<Uint8Array>>;
	  };

/** REGISTRY_REQUEST_INVALID for what cannot be a target's name. The folder's errors are those of `parseBundleName`. */
export function parseTargetName(folder: string, file: string): TargetName {
	const [, sha256, base] = /^([0-9a-f]{64})\.([0-9A-Za-z.-]+)$/.exec(file) ?? [];
	if (sha256 === undefined || base === undefined) {
		throw new RegistryError("REGISTRY_REQUEST_INVALID", "a target's file is its sha256, a dot and its name");
	}
	const path = `${folder}/${base}`;
	const ofAll = (DOCUMENT_TARGETS as readonly string[]).includes(path);
	return { path, sha256, bundle: ofAll ? undefined : parseBundleName(folder) };
}

/**
 * Finds the target; an archive's bytes are opened only when asked for.
 *
 * REGISTRY_NOT_FOUND; REGISTRY_BLOB_CORRUPT when the stored archive is gone or damaged.
 */
export async function readTarget(registry: RegistryContext, target: TargetName): Promise<OpenedTarget> {
	const found = await registry.metadata.read((reads) => find(reads, target));
	if (found === undefined) {
		throw new RegistryError(
			"REGISTRY_NOT_FOUND",
			`no target ${target.path} has the digest ${target.sha256}`,
			{
				hint: "the signed metadata below /v1/metadata lists the targets",
			},
		);
	}
	if (typeof found !== "number") return { kind: "document", bytes: found };
	return { kind: "archive", size: found, open: () => openArchive(registry, target.sha256, found) };
}

/** A document's bytes, or an archive's size. */
async function find(
	reads: MetadataReads,
	{ path, sha256, bundle }: TargetName,
): Promise<Uint8Array | number | undefined> {
	if (bundle !== undefined && path.endsWith(".kfn")) {
		const record = await reads.findDigest(sha256);
		if (record === undefined || targetPaths.archive(record.name, record.version) !== path) return undefined;
		return record.size;
	}
	return (await reads.findDocument(path, sha256))?.bytes;
}

async function openArchive(
	registry: RegistryContext,
	sha256: string,
	size: number,
): Promise<AsyncIterableIterator<Uint8Array>> {
	const bytes = await registry.blobs.open(sha256, size);
	if (bytes !== undefined) return bytes;
	throw new RegistryError("REGISTRY_BLOB_CORRUPT", `blob ${sha256} is damaged: its file is gone`, {
		hint: "publish the same archive again to heal it, or restore it from a backup or mirror",
		details: { sha256 },
	});
}
