// Reads a file whose size and sha256 are known, one chunk ahead, and gives out the last chunk only once the digest is right.
// Refuses to deliver a corrupt file whole: whoever counts bytes sees that some are missing.
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { RegistryError } from "../api/errors.ts";

const CHUNK_BYTES = 1024 * 1024;

export interface ExpectedBlob {
	readonly sha256: string;
	/** Bytes. */
	readonly size: number;
}

/**
 * Iterates once over the file and closes it at the end, on failure and on `return()`.
 *
 * Throws REGISTRY_BLOB_CORRUPT for another size (from `start`) or other bytes (before the last chunk was given out;
 * files of one chunk are therefore checked whole by `start`).
 */
export class VerifiedRead implements AsyncIterableIterator<Uint8Array> {
	readonly #file: FileHandle;
	readonly #expected: ExpectedBlob;
	readonly #hash = createHash("sha256");
	#ahead: Uint8Array | undefined;
	#offset = 0;
	#closed = false;

	private constructor(file: FileHandle, expected: ExpectedBlob) {
		this.#file = file;
		this.#expected = expected;
	}

	/** Owns `file` from now on. */
	static async start(file: FileHandle, expected: ExpectedBlob): Promise<VerifiedRead> {
		const read = new VerifiedRead(file, expected);
		try {
			const { size } = await file.stat();
			if (size !== expected.size) throw corrupt(expected, `it has ${size} bytes instead of ${expected.size}`);
			await read.#readAhead();
			return read;
		} catch (error) {
			await read.#close();
			throw error;
		}
	}

	[Symbol.asyncIterator](): this {
		return this;
	}

	async next(): Promise<IteratorResult<Uint8Array, undefined>> {
		const value = this.#ahead;
		if (value === undefined || value.byteLength === 0) return { done: true, value: undefined };
		try {
			await this.#readAhead();
		} catch (error) {
			this.#ahead = undefined;
			await this.#close();
			throw error;
		}
		return { done: false, value };
	}

	async return(): Promise<IteratorResult<Uint8Array, undefined>> {
		this.#ahead = undefined;
		await this.#close();
		return { done: true, value: undefined };
	}

	// Reading the chunk after the current one first is what lets the current one be known as the last, and be checked.
	async #readAhead(): Promise<void> {
		if (this.#closed) {
			this.#ahead = undefined;
			return;
		}
		const wanted = Math.min(CHUNK_BYTES, this.#expected.size - this.#offset);
		const buffer = Buffer.allocUnsafe(wanted);
		let filled = 0;
		while (filled < wanted) {
			const { bytesRead } = await this.#file.read(buffer, filled, wanted - filled, this.#offset + filled);
			if (bytesRead === 0) throw corrupt(this.#expected, "it became shorter while it was read");
			filled += bytesRead;
		}
		this.#offset += wanted;
		this.#hash.update(buffer);
		this.#ahead = buffer;
		if (this.#offset === this.#expected.size) await this.#finish();
	}

	async #finish(): Promise<void> {
		if (this.#hash.digest("hex") !== this.#expected.sha256) {
			throw corrupt(this.#expected, "its bytes have another digest");
		}
		await this.#close();
	}

	async #close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		await this.#file.close();
	}
}

function corrupt(expected: ExpectedBlob, why: string): RegistryError {
	return new RegistryError("REGISTRY_BLOB_CORRUPT", `blob ${expected.sha256} is damaged: ${why}`, {
		hint: "publish the same archive again to heal it, or restore it from a backup or mirror",
		details: { sha256: expected.sha256 },
	});
}
