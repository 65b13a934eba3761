// Port of the registry's bytes: durable, immutable, addressed by sha256. Promises durability and verified reads.
// Refuses to know names, versions or HTTP. The contract suite beside it runs on every adapter.

export interface StagedBlob {
	/** sha256 of the staged bytes, 64 lowercase hex. */
	readonly sha256: string;
	/** Bytes. */
	readonly size: number;
	/** The staged bytes, for validation before commit. */
	bytes(): AsyncIterable<Uint8Array>;
	/** Makes the bytes readable under their digest, durably when it resolves. Repeating it, or racing an equal blob, is harmless. */
	commit(): Promise<void>;
	/** Drops the bytes unless they were committed. Harmless after commit, and twice. */
	discard(): Promise<void>;
}

export interface BlobStore {
	/**
	 * Takes bytes in, durably but not yet readable by digest.
	 *
	 * Throws REGISTRY_TOO_LARGE as soon as more than `maxBytes` arrived, or what `source` throws; both leave nothing behind.
	 */
	stage(source: AsyncIterable<Uint8Array>, options: { maxBytes: number }): Promise<StagedBlob>;
	/**
	 * Opens a blob whose size must be `size`; undefined when there is none.
	 *
	 * Its last chunk comes only after all bytes were hashed: a corrupt blob ends in REGISTRY_BLOB_CORRUPT and is never
	 * delivered whole. A stored size other than `size` throws at once. The caller must finish or `return()` the iterator.
	 */
	open(sha256: string, size: number): Promise<AsyncIterableIterator<Uint8Array> | undefined>;
	/** Drops what dead writers left behind, and says how many. Only for a moment when no writer lives. */
	removeUnfinished(): Promise<number>;
}
