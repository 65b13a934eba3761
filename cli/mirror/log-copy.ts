// Copies a transparency log: every entry and every tile of the tree that a signed checkpoint states (C2SP tlog-tiles). Refuses
// to hand on a tile before it is tied to the root: its name says nothing of its bytes, and is theirs for ever.
import { SigningError } from "#signing/errors.ts";
import type { TreeHead } from "#signing/log/merkle.ts";
import { TILE_WIDTH, type TileName, type TileReader, tilePath } from "#signing/log/tile.ts";
import { LogTree } from "#signing/log/tree.ts";
import type { CliError } from "../errors.ts";
import { inOrder } from "./in-order.ts";
import type { Had, TreeReader } from "./tree.ts";
import { treeLimit } from "./tree-path.ts";

/** Entry bundles in memory at a time. */
const CHUNK = 16;
const WIDTH = 4;

export interface LogJob {
	/** Of a checkpoint that was opened. */
	readonly head: TreeHead;
	readonly origin: TreeReader;
	/** Trees in which a file may be already. */
	readonly held: readonly TreeReader[];
	missing(path: string): CliError;
	put(file: Had): Promise<void>;
}

/** That the log which `head` states begins with the one that `before` stated. LOG_FORKED, LOG_TRUNCATED, LOG_TILE. */
export function demandExtendsLog(job: Omit<LogJob, "put">, before: TreeHead): Promise<void> {
	return refetching(job, (held) =>
		new LogTree(new Tiles(job, held, new Map()), job.head).demandExtends(before),
	);
}

/** Puts all files of the log, each once, in an order that depends on the size alone. LOG_TILE for what is not of the tree. */
export async function copyLog(job: LogJob): Promise<void> {
	const above = new Map<string, Had>();
	const put = new Set<string>();
	const bundles = Math.ceil(job.head.size / TILE_WIDTH);
	for (let first = 0; first < bundles; first += CHUNK) {
		const indexes = Array.from({ length: Math.min(CHUNK, bundles - first) }, (_, i) => first + i);
		const files = await refetching(job, (held) =>
			readChunk(new Tiles(job, held, above), job.head, indexes, above),
		);
		for (const file of files) {
			if (put.has(file.path)) continue;
			await job.put(file);
			put.add(file.path);
		}
	}
}

/** A file that is held and wrong is fetched again. */
async function refetching<T>(
	{ held }: Omit<LogJob, "put">,
	work: (held: readonly TreeReader[]) => Promise<T>,
): Promise<T> {
	try {
		return await work(held);
	} catch (error) {
		if (!(error instanceof SigningError) || error.code !== "LOG_TILE" || held.length === 0) throw error;
		return work([]);
	}
}

/** These entry bundles and all tiles above them, verified. */
async function readChunk(
	tiles: Tiles,
	head: TreeHead,
	indexes: readonly number[],
	above: Map<string, Had>,
): Promise<Had[]> {
	const tree = new LogTree(tiles, head);
	await inOrder(
		indexes,
		WIDTH,
		(index) => tree.entryBundle(index),
		() => {},
	);
	for (const [path, file] of tiles.upper) above.set(path, file);
	return [...tiles.read.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Reads tiles from where they are held, or else from the origin, and remembers what it read. */
class Tiles implements TileReader {
	readonly read = new Map<string, Had>();
	/** Of those, what later chunks hang on as well: one in 256, and the right edge. */
	readonly upper = new Map<string, Had>();
	readonly #job: Omit<LogJob, "put">;
	readonly #held: readonly TreeReader[];
	readonly #above: ReadonlyMap<string, Had>;

	constructor(job: Omit<LogJob, "put">, held: readonly TreeReader[], above: ReadonlyMap<string, Had>) {
		this.#job = job;
		this.#held = held;
		this.#above = above;
	}

	tile(level: number, index: number, width: number): Promise<Uint8Array> {
		return this.#take({ level, index, width });
	}

	entries(index: number, width: number): Promise<Uint8Array> {
		return this.#take({ level: "entries", index, width });
	}

	async #take(name: TileName): Promise<Uint8Array> {
		const path = `v1/log/${tilePath(name)}`;
		const file = this.#above.get(path) ?? (await this.#find(path));
		this.read.set(path, file);
		const isUpper = name.level !== "entries" && (name.level > 0 || name.width < TILE_WIDTH);
		if (isUpper) this.upper.set(path, file);
		return file.bytes;
	}

	async #find(path: string): Promise<Had> {
		const limit = treeLimit(path)!;
		for (const tree of this.#held) {
			// What cannot be read there is fetched.
			const bytes = await tree.read(path, limit).catch(() => undefined);
			if (bytes !== undefined) return { path, bytes, isNew: false };
		}
		const bytes = await this.#job.origin.read(path, limit);
		if (bytes === undefined) throw this.#job.missing(path);
		return { path, bytes, isNew: true };
	}
}
