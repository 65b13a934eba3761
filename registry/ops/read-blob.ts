// Opens a published archive by its digest. Refuses bytes that no published version names, and damaged ones.
import { RegistryError } from "../api/errors.ts";
import type { ReaderScope } from "./authorize.ts";
import type { RegistryContext } from "./registry-context.ts";

export interface OpenedBlob {
	/** Bytes. */
	readonly size: number;
	/** Verified while read: see BlobStore.open. Opened by the call, so it must be iterated or returned. */
	readonly open: () => Promise<AsyncIterableIterator<Uint8Array>>;
}

/**
 * Finds the blob; its bytes are opened only when asked for.
 *
 * A digest that the reader may not see is answered as one that does not exist. REGISTRY_BLOB_CORRUPT when the stored file
 * is gone or damaged.
 */
export async function readBlob(
	registry: RegistryContext,
	scope: ReaderScope,
	sha256: string,
): Promise<OpenedBlob> {
	const record = await registry.metadata.read((reads) => reads.findDigest(sha256));
	if (record === undefined || !scope.allows(record.name)) {
		throw new RegistryError("REGISTRY_NOT_FOUND", `no published archive has the digest ${sha256}`, {
			hint: "a bundle's index lists the digests",
		});
	}
	return {
		size: record.size,
		open: async () => {
			const bytes = await registry.blobs.open(sha256, record.size);
			if (bytes !== undefined) return bytes;
			throw new RegistryError("REGISTRY_BLOB_CORRUPT", `blob ${sha256} is damaged: its file is gone`, {
				hint: "publish the same archive again to heal it, or restore it from a backup or mirror",
				details: { sha256 },
			});
		},
	};
}
