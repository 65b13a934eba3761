// A log's tree behind a checkpoint: proofs and entries from tiles that need not be believed. Every tile is tied to the root
// before a hash of it is used (as golang.org/x/mod/sumdb does), so that a damaged tile is LOG_TILE and never looks like a fork.
import { SigningError } from "../errors.ts";
import {
	consistencySubtrees,
	EMPTY_ROOT,
	forked,
	inclusionSubtrees,
	isPowerOfTwo,
	leafHash,
	nodeHash,
	rootOfHashes,
	type Subtree,
	sameHash,
	splitOf,
	type TreeHead,
	truncated,
} from "./merkle.ts";
import {
	decodeEntries,
	hashesOfTile,
	TILE_HEIGHT,
	TILE_WIDTH,
	type TileReader,
	tileWidth,
	wrongTile,
} from "./tile.ts";

export class LogTree {
	readonly head: TreeHead;
	readonly #reader: TileReader;
	/** Tiles that have been tied to the root, by `level/index`. */
	readonly #tiles = new Map<string, Promise<Uint8Array[]>>();
	#edge: Promise<Map<string, Uint8Array[]>> | undefined;

	/** `head` is what is believed, of a checkpoint that was opened; `reader` is not. */
	constructor(reader: TileReader, head: TreeHead) {
		this.#reader = reader;
		this.head = head;
	}

	/** The root that this tree had when it had `size` entries. */
	rootAt(size: number): Promise<Uint8Array> {
		return size === 0 ? Promise.resolve(EMPTY_ROOT) : this.#hash({ start: 0, end: size });
	}

	/**
	 * That this tree begins with the entries of `before`: an earlier state of one log.
	 * LOG_TRUNCATED, LOG_FORKED: it does not, proved by the two heads alone and by no tile's fault. LOG_TILE: cannot tell.
	 */
	async demandExtends(before: TreeHead): Promise<void> {
		if (this.head.size < before.size) throw truncated(before, this.head);
		const root = this.head.size === before.size ? this.head.root : await this.rootAt(before.size);
		if (!sameHash(root, before.root)) throw forked(before, this.head);
	}

	/** RFC 6962 §2.1.1. `index` is smaller than the size. */
	inclusionProof(index: number): Promise<Uint8Array[]> {
		return Promise.all(inclusionSubtrees(index, this.head.size).map((subtree) => this.#hash(subtree)));
	}

	/** RFC 6962 §2.1.2, from the first `size` entries to all; `size` is at most the tree's. */
	consistencyProof(size: number): Promise<Uint8Array[]> {
		return Promise.all(consistencySubtrees(size, this.head.size).map((subtree) => this.#hash(subtree)));
	}

	/** The entry at `index`. LOG_NOT_INCLUDED beyond the tree's end. */
	async entry(index: number): Promise<Uint8Array> {
		if (index >= this.head.size) {
			throw new SigningError(
				"LOG_NOT_INCLUDED",
				`the log has ${this.head.size} entries, and no number ${index}`,
				{
					hint: "it may have been published just now: fetch the checkpoint again",
					details: { index, size: this.head.size },
				},
			);
		}
		const entries = await this.entryBundle(Math.floor(index / TILE_WIDTH));
		return entries[index % TILE_WIDTH]!;
	}

	/** The entries of the bundle `index`, each compared with its hash in the tree. */
	async entryBundle(index: number): Promise<Uint8Array[]> {
		const width = tileWidth(0, index, this.head.size);
		const name = { level: "entries", index, width } as const;
		const [bytes, hashes] = await Promise.all([this.#reader.entries(index, width), this.#tile(0, index)]);
		const entries = decodeEntries(bytes, name);
		const wrong = entries.findIndex((entry, at) => !sameHash(leafHash(entry), hashes[at]!));
		if (wrong >= 0) throw wrongTile(name, `its entry ${wrong} is another than was logged`);
		return entries;
	}

	async #hash({ start, end }: Subtree): Promise<Uint8Array> {
		const size = end - start;
		if (isPowerOfTwo(size)) return this.#perfect(start, size);
		const middle = start + splitOf(size);
		const halves = [this.#hash({ start, end: middle }), this.#hash({ start: middle, end })] as const;
		const [left, right] = await Promise.all(halves);
		return nodeHash(left, right);
	}

	/** A subtree of a power of two: consecutive hashes of one tile. */
	async #perfect(start: number, size: number): Promise<Uint8Array> {
		const level = Math.floor(Math.log2(size) / TILE_HEIGHT);
		const first = start / TILE_WIDTH ** level;
		const tile = await this.#tile(level, Math.floor(first / TILE_WIDTH));
		const at = first % TILE_WIDTH;
		return rootOfHashes(tile.slice(at, at + size / TILE_WIDTH ** level));
	}

	#tile(level: number, index: number): Promise<Uint8Array[]> {
		const key = `${level}/${index}`;
		const known = this.#tiles.get(key);
		if (known !== undefined) return known;
		const tile = this.#authenticTile(level, index);
		this.#tiles.set(key, tile);
		return tile;
	}

	async #authenticTile(level: number, index: number): Promise<Uint8Array[]> {
		const width = tileWidth(level, index, this.head.size);
		if (width < TILE_WIDTH) return (await this.#rightEdge()).get(`${level}/${index}`)!;
		const [hashes, above] = await Promise.all([
			this.#read(level, index, width),
			this.#tile(level + 1, Math.floor(index / TILE_WIDTH)),
		]);
		if (sameHash(rootOfHashes(hashes), above[index % TILE_WIDTH]!)) return hashes;
		throw wrongTile({ level, index, width }, "its hash is not the one that the tile above it names");
	}

	/** The partial tiles: together they are exactly what the root is made of, so one comparison ties all of them. */
	#rightEdge(): Promise<Map<string, Uint8Array[]>> {
		this.#edge ??= this.#readRightEdge();
		return this.#edge;
	}

	async #readRightEdge(): Promise<Map<string, Uint8Array[]>> {
		const { size, root } = this.head;
		const names: { level: number; index: number; width: number }[] = [];
		for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
			const [index, width] = [Math.floor(hashes / TILE_WIDTH), hashes % TILE_WIDTH];
			if (width > 0) names.push({ level, index, width });
		}
		const tiles = await Promise.all(names.map(({ level, index, width }) => this.#read(level, index, width)));
		// From right to left: what is above stands to the left of all that is below it.
		const found = tiles.reduce<Uint8Array | undefined>(
			(right, tile) => rootWithRight(tile, right),
			undefined,
		);
		const last = names[0];
		if (last !== undefined && (found === undefined || !sameHash(found, root))) {
			throw wrongTile(last, "the last tiles do not hash to the signed root");
		}
		return new Map(names.map(({ level, index }, at) => [`${level}/${index}`, tiles[at]!]));
	}

	async #read(level: number, index: number, width: number): Promise<Uint8Array[]> {
		return hashesOfTile(await this.#reader.tile(level, index, width), { level, index, width });
	}
}

/** MTH over the tile's subtrees, of one size, followed by a smaller rest whose hash is `right`. */
function rootWithRight(tile: readonly Uint8Array[], right: Uint8Array | undefined): Uint8Array {
	if (right === undefined) return rootOfHashes(tile);
	if (tile.length === 0) return right;
	// A rest is smaller than one of the tile's subtrees, so the split is at the largest power of two up to the tile's length.
	const split = splitOf(tile.length + 1);
	return nodeHash(rootOfHashes(tile.slice(0, split)), rootWithRight(tile.slice(split), right));
}
