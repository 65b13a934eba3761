// The log's tiles and entries as the store holds them, for the tree that is tied to a signed root. Refuses to judge them:
// what is missing or damaged comes out short, and LogTree says so.
import { HASH_BYTES } from "#signing/log/merkle.ts";
import { encodeEntries, TILE_WIDTH, type TileReader } from "#signing/log/tile.ts";
import type { LogReads } from "../ports/log-store.ts";

export function storedTiles(reads: LogReads): TileReader {
	return {
		tile: async (level, index, width) => {
			const row = await reads.findLogTile(level, index);
			return row?.bytes.slice(0, width * HASH_BYTES) ?? new Uint8Array();
		},
		entries: async (index, width) => encodeEntries(await reads.listLogEntries(index * TILE_WIDTH, width)),
	};
}
