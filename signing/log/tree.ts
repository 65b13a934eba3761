// A log's tree behind a checkpoint: proofs and entries from tiles that need not be believed. Every tile is tied to the root
// before a hash of it is used (as golang.org/x/mod/sumdb does), so that a damaged tile is LOG_TILE and never looks like a fork.
import { SigningError } from "../errors.ts";
import { appendToEdge, type Edge, edgeTiles, type GrownTile, rootOfEdge } from "./edge.ts";
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
	#edge: Promise<Edge> | undefined;

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

	/** The tiles that change when `leaf` is appended, and the tree's head after it. LOG_TILE: what is there is not this tree. */
	async appended(leaf: Uint8Array): Promise<{ tiles: GrownTile[]; head: TreeHead }> {
		const { tiles, edge } = appendToEdge(await this.#rightEdge(), this.head.size, leaf);
		return { tiles, head: { size: this.head.size + 1, root: rootOfEdge(edge) } };
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
		if (width < TILE_WIDTH) return (await this.#rightEdge())[level]!.slice();
		const [hashes, above] = await Promise.all([
			this.#read(level, index, width),
			this.#tile(level + 1, Math.floor(index / TILE_WIDTH)),
		]);
		if (sameHash(rootOfHashes(hashes), above[index % TILE_WIDTH]!)) return hashes;
		throw wrongTile({ level, index, width }, "its hash is not the one that the tile above it names");
	}

	/** One comparison ties all partial tiles: together they are exactly what the root is made of. */
	#rightEdge(): Promise<Edge> {
		this.#edge ??= this.#readRightEdge();
		return this.#edge;
	}

	async #readRightEdge(): Promise<Edge> {
		const names = edgeTiles(this.head.size);
		const edge = await Promise.all(
			names.map(({ level, index, width }) => (width === 0 ? [] : this.#read(level, index, width))),
		);
		if (sameHash(rootOfEdge(edge), this.head.root)) return edge;
		const last = names.find(({ width }) => width > 0) ?? { level: 0, index: 0, width: 0 };
		throw wrongTile(last, "the last tiles do not hash to the signed root");
	}

	async #read(level: number, index: number, width: number): Promise<Uint8Array[]> {
		return hashesOfTile(await this.#reader.tile(level, index, width), { level, index, width });
	}
}
