// Reads an export in place, as a tree: its headers are indexed and its files read where they lie, so that nothing is unpacked
// that the signed metadata does not name. Refuses every tar that archive-format.ts would not have written: links, folders,
// devices, names outside the tree, a name twice, sizes beyond the limits, headers in another spelling.
import { type FileHandle, open } from "node:fs/promises";
import { CliError } from "../errors.ts";
import { BLOCK, END, encodeEntry, paddingOf } from "./archive-format.ts";
import type { TreeReader } from "./tree.ts";
import { treeLimit } from "./tree-path.ts";

/** Entries of one export: a hundred thousand bundles of five versions, twice over. */
const ENTRY_LIMIT = 1 << 20;
/** A pax header holds one path. */
const PAX_LIMIT = 2 * BLOCK;
/** What a copying tool may have added: tar fills its last record of 20 blocks. */
const TRAILING_LIMIT = 20 * BLOCK;

const KINDS: Readonly<Record<string, string>> = {
	"1": "a hard link",
	"2": "a symbolic link",
	"3": "a character device",
	"4": "a block device",
	"5": "a folder",
	"6": "a named pipe",
	g: "a global pax header",
	L: "a GNU long name",
	K: "a GNU long link",
	S: "a GNU sparse file",
};

interface Place {
	readonly offset: number;
	readonly size: number;
}

export class ArchiveTree implements TreeReader, AsyncDisposable {
	readonly description: string;
	readonly #file: FileHandle;
	readonly #places: ReadonlyMap<string, Place>;

	private constructor(path: string, file: FileHandle, places: ReadonlyMap<string, Place>) {
		this.description = path;
		this.#file = file;
		this.#places = places;
	}

	/** Reads all headers, and no file's bytes. CLI_EXPORT_MALFORMED. */
	static async open(path: string, entryLimit = ENTRY_LIMIT): Promise<ArchiveTree> {
		const file = await open(path, "r");
		try {
			const { size } = await file.stat();
			return new ArchiveTree(path, file, await new Index(file, size).places(entryLimit));
		} catch (error) {
			await file.close();
			throw error;
		}
	}

	async read(path: string, limit: number): Promise<Uint8Array | undefined> {
		const place = this.#places.get(path);
		if (place === undefined) return undefined;
		if (place.size > limit) throw malformed(`"${path}" has ${place.size} bytes; ${limit} are the most`, path);
		return readAt(this.#file, place.offset, place.size);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#file.close();
	}
}

/** One pass over the headers. */
class Index {
	readonly #file: FileHandle;
	readonly #size: number;
	#offset = 0;

	constructor(file: FileHandle, size: number) {
		this.#file = file;
		this.#size = size;
	}

	async places(entryLimit: number): Promise<Map<string, Place>> {
		const places = new Map<string, Place>();
		for (;;) {
			const block = await this.#take(BLOCK);
			if (isZero(block)) break;
			const { path, size } = await this.#entry(block);
			if (places.has(path)) throw malformed(`"${path}" is in it twice`, path);
			if (places.size === entryLimit) throw malformed(`it has more than ${entryLimit} entries`);
			places.set(path, { offset: this.#offset, size });
			await this.#skip(size + paddingOf(size), path);
		}
		await this.#end();
		return places;
	}

	/** Header, and the pax header before it where there is one; the same as the writer's, byte for byte. */
	async #entry(first: Buffer): Promise<{ path: string; size: number }> {
		demandFile(first);
		const isPax = kindOf(first) === "x";
		const extended = isPax ? await this.#paxBody(first) : undefined;
		const header = extended === undefined ? first : await this.#take(BLOCK);
		if (extended !== undefined && kindOf(header) !== "0") demandFile(header);
		const path = extended?.path ?? pathOf(header);
		const size = sizeOf(header);
		const limit = treeLimit(path);
		if (limit === undefined) throw malformed(`"${path}" is no name of a registry's tree`, path);
		if (size === undefined || size > limit) {
			throw malformed(
				`"${path}" has ${size ?? "an unreadable number of"} bytes; ${limit} are the most`,
				path,
			);
		}
		const read = extended === undefined ? header : Buffer.concat([first, extended.block, header]);
		if (Buffer.compare(read, encodeEntry(path, size)) !== 0) {
			throw malformed(`the header of "${path}" is not as kfn writes it`, path);
		}
		return { path, size };
	}

	async #paxBody(header: Buffer): Promise<{ path: string; block: Buffer }> {
		const size = sizeOf(header);
		if (size === undefined || size > PAX_LIMIT) throw malformed("a pax header holds more than a path");
		const block = await this.#take(size + paddingOf(size));
		const [, path] = /^\d+ path=([^\n]*)\n$/.exec(block.toString("latin1", 0, size)) ?? [];
		if (path === undefined) throw malformed("a pax header holds something else than a path");
		return { path, block };
	}

	async #end(): Promise<void> {
		const rest = this.#size - this.#offset;
		if (rest < END.byteLength - BLOCK || rest > TRAILING_LIMIT || !isZero(await this.#take(rest))) {
			throw malformed("it does not end as a tar does");
		}
	}

	async #take(size: number): Promise<Buffer> {
		if (this.#offset + size > this.#size) throw malformed("it ends in the middle");
		const bytes = await readAt(this.#file, this.#offset, size);
		this.#offset += size;
		return bytes;
	}

	async #skip(size: number, path: string): Promise<void> {
		if (this.#offset + size > this.#size) throw malformed(`it ends in the middle of "${path}"`, path);
		this.#offset += size;
	}
}

function kindOf(block: Buffer): string {
	return block.toString("latin1", 156, 157);
}

function demandFile(block: Buffer): void {
	const isTar = block.toString("latin1", 257, 262) === "ustar";
	if (!isTar) throw malformed("it is no tar");
	const kind = kindOf(block);
	if (kind === "0" || kind === "x") return;
	throw malformed(`"${pathOf(block)}" is ${KINDS[kind] ?? "no regular file"}`, pathOf(block));
}

function pathOf(block: Buffer): string {
	const prefix = textAt(block, 345, 155);
	const name = textAt(block, 0, 100);
	return prefix === "" ? name : `${prefix}/${name}`;
}

function textAt(block: Buffer, offset: number, length: number): string {
	const field = block.subarray(offset, offset + length);
	const end = field.indexOf(0);
	return field.toString("latin1", 0, end < 0 ? length : end);
}

/** Octal digits; the base-256 numbers of larger files are beyond every limit. */
function sizeOf(block: Buffer): number | undefined {
	const [, digits] = /^([0-7]{1,11})[ \0]/.exec(block.toString("latin1", 124, 136)) ?? [];
	return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

async function readAt(file: FileHandle, offset: number, size: number): Promise<Buffer> {
	const bytes = Buffer.alloc(size);
	for (let done = 0; done < size; ) {
		const { bytesRead } = await file.read(bytes, done, size - done, offset + done);
		if (bytesRead === 0) throw malformed("it became shorter while it was read");
		done += bytesRead;
	}
	return bytes;
}

function isZero(bytes: Buffer): boolean {
	return bytes.every((byte) => byte === 0);
}

function malformed(why: string, entry?: string): CliError {
	return new CliError("CLI_EXPORT_MALFORMED", `this is not an export as kfn writes it: ${why}`, {
		hint: "nothing was imported; take the file that kfn export wrote, as it was",
		details: { why, ...(entry === undefined ? {} : { entry }) },
	});
}
