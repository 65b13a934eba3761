// For tests only: a log in memory, kept as the registry keeps it (one row a tile, appended to), whose tiles can be exchanged.
// Product code never imports it.
import { appendToEdge, type Edge } from "../edge.ts";
import { leafHash, rootOfHashes, type TreeHead } from "../merkle.ts";
import { encodeEntries, hashesOfTile, TILE_WIDTH, type TileReader } from "../tile.ts";
import { LogTree } from "../tree.ts";

export class GrowingLog implements TileReader {
	readonly rows = new Map<string, Uint8Array>();
	readonly log: Uint8Array[] = [];
	#edge: Edge = [];
	/** Every read, as `level/index/width`. */
	readonly reads: string[] = [];

	static of(entries: readonly Uint8Array[]): GrowingLog {
		const log = new GrowingLog();
		for (const entry of entries) log.append(entry);
		return log;
	}

	get size(): number {
		return this.log.length;
	}

	append(entry: Uint8Array): void {
		const { tiles, edge } = appendToEdge(this.#edge, this.size, leafHash(entry));
		for (const { level, index, bytes } of tiles) this.rows.set(`${level}/${index}`, bytes);
		this.#edge = edge;
		this.log.push(entry);
	}

	async tile(level: number, index: number, width: number): Promise<Uint8Array> {
		this.reads.push(`${level}/${index}/${width}`);
		return this.rows.get(`${level}/${index}`)!.slice(0, width * 32);
	}

	async entries(index: number, width: number): Promise<Uint8Array> {
		this.reads.push(`entries/${index}/${width}`);
		return encodeEntries(this.log.slice(index * TILE_WIDTH, index * TILE_WIDTH + width));
	}

	/** Computed from the leaves alone, so that a mistake in the tiles shows. */
	head(): TreeHead {
		const leaves = this.log.map((_, at) => this.#leaf(at));
		return { size: this.size, root: rootOfHashes(leaves) };
	}

	tree(head?: TreeHead): LogTree {
		return new LogTree(this, head ?? this.head());
	}

	#leaf(at: number): Uint8Array {
		const [index, width] = [
			Math.floor(at / TILE_WIDTH),
			Math.min(TILE_WIDTH, this.size - (at - (at % TILE_WIDTH))),
		];
		const row = this.rows.get(`0/${index}`)!.slice(0, width * 32);
		return hashesOfTile(row, { level: 0, index, width })[at % TILE_WIDTH]!;
	}
}
