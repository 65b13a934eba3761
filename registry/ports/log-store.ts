// Part of the metadata port: the transparency log's entries, tiles and checkpoints. Promises that the three are always in
// step, in the transaction of what they record. Refuses to know hashes and signatures: registry/log/ computes them.

/** A tile with all of its hashes so far; a narrower partial tile is its beginning. */
export interface StoredTile {
	readonly level: number;
	readonly index: number;
	readonly bytes: Uint8Array;
}

/** A signed checkpoint, byte for byte as it is served. UTF-8. */
export interface StoredCheckpoint {
	readonly size: number;
	readonly bytes: Uint8Array;
}

/** One step of the log: an entry and what it changes. */
export interface LogGrowth {
	/** How many entries there are before; compare-and-swap. */
	readonly expectedSize: number;
	/** UTF-8. */
	readonly entry: Uint8Array;
	/** The version that the entry says to be published; null for every other kind of entry. */
	readonly published: { readonly name: string; readonly version: string } | null;
	readonly tiles: readonly StoredTile[];
	/** Of `expectedSize + 1` entries. */
	readonly checkpoint: Uint8Array;
}

export interface LogReads {
	/** The checkpoint of the newest size; undefined while nothing was logged. */
	newestCheckpoint(): Promise<StoredCheckpoint | undefined>;
	/** The checkpoints that are kept, newest first. */
	listCheckpoints(): Promise<StoredCheckpoint[]>;
	findCheckpoint(size: number): Promise<StoredCheckpoint | undefined>;
	findLogTile(level: number, index: number): Promise<StoredTile | undefined>;
	/** Entries from number `start` on, at most `limit`, in order. */
	listLogEntries(start: number, limit: number): Promise<Uint8Array[]>;
	/** At which entry each version of a name was published, by version. */
	findLogIndexes(name: string): Promise<Map<string, number>>;
}

export interface LogWrites {
	/** False, and nothing written, when the log does not have `expectedSize` entries. */
	growLog(growth: LogGrowth): Promise<boolean>;
	/** Compare-and-swap: false, and nothing written, unless the checkpoint of this size is `expected`. */
	swapCheckpoint(size: number, expected: Uint8Array, bytes: Uint8Array): Promise<boolean>;
	/** Removes the checkpoints of sizes below `size`, except the one of size `kept`. Entries and tiles always stay. */
	pruneCheckpoints(size: number, kept: number): Promise<void>;
}
