// Writes an export: a tree as one tar, streamed into a temporary file that takes its name when it is whole and durable.
// Refuses to replace a file.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { type FileHandle, unlink } from "node:fs/promises";
import { createTemporary, fileExists, placeOutput } from "../files.ts";
import { END, encodeEntry, paddingOf } from "./archive-format.ts";
import type { TreeWriter } from "./tree.ts";

export class ArchiveWriter implements TreeWriter, AsyncDisposable {
	readonly description: string;
	readonly #temporary: string;
	readonly #file: FileHandle;
	readonly #hash = createHash("sha256");
	#size = 0;

	private constructor(path: string, temporary: string, file: FileHandle) {
		this.description = path;
		this.#temporary = temporary;
		this.#file = file;
	}

	/**
	 * Opens the temporary file beside `path`; it goes when the writer is disposed of unfinished. CLI_FILE_EXISTS where the name is taken
	 * already, CLI_FILE_UNWRITABLE where its folder is not there: nobody should wait for a whole registry to be told.
	 */
	static async create(path: string): Promise<ArchiveWriter> {
		if (existsSync(path)) throw fileExists(path);
		const { temporary, file } = await createTemporary(path);
		return new ArchiveWriter(path, temporary, file);
	}

	/** An export is written once, from the start: nothing is there. */
	async read(): Promise<undefined> {}

	async place(path: string, bytes: Uint8Array): Promise<void> {
		const size = bytes.byteLength;
		await this.#append(Buffer.concat([encodeEntry(path, size), bytes, Buffer.alloc(paddingOf(size))]));
	}

	/** Durability is of the whole file, at its end. */
	async settle(): Promise<void> {}

	replace(path: string, bytes: Uint8Array): Promise<void> {
		return this.place(path, bytes);
	}

	/** Ends the tar and gives it its name, durably; CLI_FILE_EXISTS where the name is taken. */
	async finish(): Promise<{ sha256: string; size: number }> {
		await this.#append(END);
		await this.#file.sync();
		await placeOutput(this.#temporary, this.description, { overwrite: false });
		return { sha256: this.#hash.digest("hex"), size: this.#size };
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#file.close();
		// After finish() it has its name, and this one is gone.
		await unlink(this.#temporary).catch(() => {});
	}

	async #append(bytes: Uint8Array): Promise<void> {
		this.#hash.update(bytes);
		this.#size += bytes.byteLength;
		for (let done = 0; done < bytes.byteLength; ) {
			done += (await this.#file.write(bytes, done)).bytesWritten;
		}
	}
}
