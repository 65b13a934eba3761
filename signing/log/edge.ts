// The right edge of a tree: its partial tiles, of which its root is made and to which an entry is appended. Refuses to store
// anything: registry/log/ keeps one row a tile, of which a narrower partial tile is the beginning.
import { EMPTY_ROOT, nodeHash, rootOfHashes, splitOf } from "./merkle.ts";
import { TILE_WIDTH } from "./tile.ts";

/** The hashes of the partial tiles by level, from 0 up; none where the tree has a full number of tiles. */
export type Edge = readonly (readonly Uint8Array[])[];

export interface GrownTile {
	readonly level: number;
	readonly index: number;
	/** All of its hashes so far. */
	readonly bytes: Uint8Array;
}

/** Where the partial tiles of a tree of `size` entries stand, from level 0 up; width 0 where there is none. */
export function edgeTiles(size: number): { level: number; index: number; width: number }[] {
	const tiles = [];
	for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
		tiles.push({ level, index: Math.floor(hashes / TILE_WIDTH), width: hashes % TILE_WIDTH });
	}
	return tiles;
}

/** The root of the tree: every hash of the edge goes into it, and nothing else. */
export function rootOfEdge(edge: Edge): Uint8Array {
	// From right to left: what is above stands to the left of all that is below it.
	const root = edge.reduce<Uint8Array | undefined>((right, tile) => rootWithRight(tile, right), undefined);
	return root ?? EMPTY_ROOT;
}

/**
 * The tiles that change when the leaf hash `leaf` becomes the entry number `size`, and the new edge: the last tile of level 0,
 * and of each level above whose tile below has become full.
 */
export function appendToEdge(edge: Edge, size: number, leaf: Uint8Array): { tiles: GrownTile[]; edge: Edge } {
	const next = [...edge];
	const tiles: GrownTile[] = [];
	let hash = leaf;
	for (let level = 0, hashes = size; ; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
		const tile = [...(edge[level] ?? []), hash];
		const bytes = new Uint8Array(Buffer.concat(tile));
		tiles.push({ level, index: Math.floor(hashes / TILE_WIDTH), bytes });
		next[level] = tile.length < TILE_WIDTH ? tile : [];
		if (tile.length < TILE_WIDTH) return { tiles, edge: next };
		hash = rootOfHashes(tile);
	}
}

/** MTH over a tile's subtrees, of one size, followed by a smaller rest whose hash is `right`. */
function rootWithRight(tile: readonly Uint8Array[], right: Uint8Array | undefined): Uint8Array | undefined {
	if (tile.length === 0) return right;
	if (right === undefined) return rootOfHashes(tile);
	// A rest is smaller than one of the tile's subtrees, so the split is at the largest power of two up to the tile's length.
	const split = splitOf(tile.length + 1);
	return nodeHash(rootOfHashes(tile.slice(0, split)), rootWithRight(tile.slice(split), right)!);
}
