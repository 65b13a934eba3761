// Tiles and entry bundles as C2SP tlog-tiles defines them: coordinates, paths, widths, the bytes inside. Refuses every second
// spelling of a path, tiles of a wrong length, and entry bundles that end in the middle of an entry.
import { SigningError } from "../errors.ts";
import { HASH_BYTES, MAX_TREE_SIZE } from "./merkle.ts";

/** Hashes in a full tile, and entries in a full entry bundle. */
export const TILE_WIDTH = 256;
/** A tile's hashes are the leaves of a subtree of this height. */
export const TILE_HEIGHT = 8;
/** An entry's length is written in 16 bits. */
export const MAX_ENTRY_BYTES = 65_535;
const MAX_LEVEL = 63;
export const MAX_ENTRIES_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES);

/** Where a tile stands; `level` "entries" for an entry bundle, whose coordinates are those of level 0. */
export interface TileName {
	readonly level: number | "entries";
	readonly index: number;
	/** 1 to 256; 256 is a full tile. */
	readonly width: number;
}

/** How a tree's tiles are read: over HTTP, from a mirror's folder, from the registry's store. Answers are not believed. */
export interface TileReader {
	/** The hashes of a tile, `width` times 32 bytes. */
	tile(level: number, index: number, width: number): Promise<Uint8Array>;
	/** An entry bundle of `width` entries. */
	entries(index: number, width: number): Promise<Uint8Array>;
}

const PATH = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** `tile/<L>/<N>[.p/<W>]`, N in groups of three digits: 1234067 is `x001/x234/067`. */
export function tilePath({ level, index, width }: TileName): string {
	const digits = String(index);
	const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, "0");
	const groups = padded.match(/\d{3}/g) ?? [];
	const last = groups.pop();
	const folders = groups.map((group) => `x${group}/`).join("");
	return `tile/${level}/${folders}${last}${width === TILE_WIDTH ? "" : `.p/${width}`}`;
}

/** The tile of a path, or undefined when {@link tilePath} writes no tile like this. */
export function parseTilePath(path: string): TileName | undefined {
	const match = PATH.exec(path);
	if (match === null) return undefined;
	const [, level, index = "", width = String(TILE_WIDTH)] = match;
	const name: TileName = {
		level: level === "entries" ? level : Number(level),
		index: Number(index.replace(/[x/]/g, "")),
		width: Number(width),
	};
	const inRange = name.index <= MAX_TREE_SIZE && (name.level === "entries" || name.level <= MAX_LEVEL);
	// The comparison refuses what is taken apart alike, but written otherwise: "x000/" in front, ".p/256".
	return inRange && name.width <= TILE_WIDTH && tilePath(name) === path ? name : undefined;
}

/** How wide the tile is in a tree of `size` entries; 0 when the tree does not have it. */
export function tileWidth(level: number, index: number, size: number): number {
	const hashes = Math.floor(size / TILE_WIDTH ** level);
	return Math.max(0, Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH));
}

/** The bytes of a tile, when they are `width` hashes; else LOG_TILE. */
export function demandWidth(bytes: Uint8Array, name: TileName): Uint8Array {
	if (bytes.byteLength === name.width * HASH_BYTES) return bytes;
	throw wrongTile(name, `it has ${bytes.byteLength} bytes instead of ${name.width * HASH_BYTES}`);
}

/** The tile's hashes; LOG_TILE when it is not `width` of them. */
export function hashesOfTile(bytes: Uint8Array, name: TileName): Uint8Array[] {
	demandWidth(bytes, name);
	return Array.from({ length: name.width }, (_, at) => bytes.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES));
}

/** Entries, each behind its length in two bytes, the high one first. An entry longer than 65,535 bytes is a bug of the caller. */
export function encodeEntries(entries: readonly Uint8Array[]): Uint8Array {
	const parts = entries.flatMap((entry) => {
		if (entry.byteLength > MAX_ENTRY_BYTES) throw new RangeError(`an entry of ${entry.byteLength} bytes`);
		const length = Buffer.alloc(2);
		length.writeUInt16BE(entry.byteLength);
		return [length, entry];
	});
	return new Uint8Array(Buffer.concat(parts));
}

/** The entries of a bundle; LOG_TILE when it does not hold exactly `width` whole ones. */
export function decodeEntries(bytes: Uint8Array, name: TileName): Uint8Array[] {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const entries: Uint8Array[] = [];
	let at = 0;
	while (at < bytes.byteLength) {
		const start = at + 2;
		const end = start > bytes.byteLength ? Number.POSITIVE_INFINITY : start + view.getUint16(at);
		if (end > bytes.byteLength) throw wrongTile(name, "it ends in the middle of an entry");
		entries.push(bytes.slice(start, end));
		at = end;
	}
	if (entries.length !== name.width) {
		throw wrongTile(name, `it has ${entries.length} entries instead of ${name.width}`);
	}
	return entries;
}

/** What was read as this tile is not the tile of the signed tree. */
export function wrongTile(name: TileName, why: string): SigningError {
	return new SigningError("LOG_TILE", `${tilePath(name)} is not part of the signed log: ${why}`, {
		hint: "the registry or mirror is damaged or lying; try again, then another mirror, and tell the registry's admin",
		details: { tile: tilePath(name) },
	});
}
