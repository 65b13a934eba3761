// Appending to a log as its tiles: which tiles a new entry changes, and what they then hold. Refuses to store anything:
// registry/log/ keeps one row a tile, of which a narrower partial tile is the beginning.
import { HASH_BYTES, rootOfHashes } from "./merkle.ts";
import { demandWidth, hashesOfTile, TILE_WIDTH } from "./tile.ts";

export interface GrownTile {
	readonly level: number;
	readonly index: number;
	/** All of its hashes so far. */
	readonly bytes: Uint8Array;
}

/**
 * The tiles that change when the leaf hash `leaf` is appended to a tree of `size` entries: the last one of level 0, and
 * of each level above whose tile below has become full. `tile` answers what the store holds of a partial tile.
 */
export async function appendLeaf(
	size: number,
	leaf: Uint8Array,
	tile: (level: number, index: number) => Promise<Uint8Array>,
): Promise<GrownTile[]> {
	const grown: GrownTile[] = [];
	let hash = leaf;
	for (let level = 0, before = size; ; level++, before = Math.floor(before / TILE_WIDTH)) {
		const [index, width] = [Math.floor(before / TILE_WIDTH), before % TILE_WIDTH];
		const bytes = new Uint8Array((width + 1) * HASH_BYTES);
		if (width > 0) bytes.set(demandWidth(await tile(level, index), { level, index, width }));
		bytes.set(hash, width * HASH_BYTES);
		grown.push({ level, index, bytes });
		if (width + 1 < TILE_WIDTH) return grown;
		hash = rootOfHashes(hashesOfTile(bytes, { level, index, width: TILE_WIDTH }));
	}
}
