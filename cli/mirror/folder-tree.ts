// A tree in a folder: a mirror, or what one was copied to. Refuses to read what is no regular file, and writes through the
// host's one durable writer only.
import { constants, readdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Durable, isTemporary } from "#host/durable.ts";
import { codeOf } from "#host/errors.ts";
import { CliError } from "../errors.ts";
import type { TreeReader, TreeWriter } from "./tree.ts";
import { treeLimit } from "./tree-path.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** What says that nothing readable is there: also a folder that is a file, and a link in the place of a file. */
const ABSENT = ["ENOENT", "ENOTDIR", "ELOOP", "EISDIR", "ENXIO"];

export class FolderTree implements TreeReader {
	readonly folder: string;

	constructor(folder: string) {
		this.folder = folder;
	}

	get description(): string {
		return pathToFileURL(this.folder).href;
	}

	async read(path: string, limit: number): Promise<Uint8Array | undefined> {
		const full = join(this.folder, path);
		try {
			// Non-blocking: opening a named pipe would wait for somebody to write into it.
			await using file = await open(full, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
			const stat = await file.stat();
			if (!stat.isFile()) return undefined;
			if (stat.size > limit) {
				throw new CliError("CLI_REGISTRY_ANSWER", `${full} is larger than the ${limit} bytes it may be`, {
					details: { path: full, limit },
				});
			}
			const bytes = Buffer.alloc(stat.size);
			const { bytesRead } = await file.read(bytes, 0, stat.size, 0);
			return bytesRead === stat.size ? bytes : bytes.subarray(0, bytesRead);
		} catch (error) {
			if (ABSENT.includes(codeOf(error))) return undefined;
			throw error;
		}
	}

	/** All files of the tree that are there, by their names in it; what has no such name is not ours and not listed. */
	list(): string[] {
		return filesBelow(this.folder, "v1").filter((path) => treeLimit(path) !== undefined);
	}

	/** What interrupted writes of the tree's files have left behind. */
	leftovers(): string[] {
		return filesBelow(this.folder, "v1").filter((path) => {
			const cut = path.lastIndexOf("/") + 1;
			const base = path.slice(cut);
			return isTemporary(base) && treeLimit(path.slice(0, cut) + base.slice(1, -".tmp".length)) !== undefined;
		});
	}
}

export class WritableFolderTree extends FolderTree implements TreeWriter {
	readonly #durable: Durable;
	/** Folders that have names which a power cut could still take away. */
	readonly #unsettled = new Set<string>();

	constructor(folder: string, durable: Durable) {
		super(folder);
		this.#durable = durable;
	}

	async place(path: string, bytes: Uint8Array): Promise<void> {
		const full = join(this.folder, path);
		this.#durable.makeFolder(dirname(full));
		this.#durable.placeFile(full, bytes);
		this.#unsettled.add(dirname(full));
	}

	async settle(): Promise<void> {
		for (const folder of this.#unsettled) this.#durable.syncFolder(folder);
		this.#unsettled.clear();
	}

	async replace(path: string, bytes: Uint8Array): Promise<void> {
		const full = join(this.folder, path);
		this.#durable.makeFolder(dirname(full));
		this.#durable.writeFile(full, bytes);
	}

	remove(path: string): void {
		this.#durable.removeFile(join(this.folder, path));
	}
}

function filesBelow(folder: string, below: string): string[] {
	try {
		return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
			const path = `${below}/${entry.name}`;
			return entry.isDirectory() ? filesBelow(folder, path) : entry.isFile() ? [path] : [];
		});
	} catch (error) {
		if (ABSENT.includes(codeOf(error))) return [];
		throw error;
	}
}
