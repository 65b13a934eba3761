// The blob port in a folder: sha256/<2 hex>/<64 hex>, written through incoming/ with fsync and rename.
// Refuses paths that are not digests, and to hand out a blob whole whose bytes no longer match its digest.
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { RegistryError } from "../api/errors.ts";
import type { BlobStore, StagedBlob } from "../ports/blob-store.ts";
import { hasCode, makeFolder, moveIntoPlace, syncFolder, writeAll } from "./durable.ts";
import { VerifiedRead } from "./verified-read.ts";

/** Opens or creates the store in `root`, whose parent must exist. */
export async function openFolderBlobStore(root: string): Promise<BlobStore> {
	const store = new FolderBlobStore(root);
	await store.prepare();
	return store;
}

class FolderBlobStore implements BlobStore {
	readonly #root: string;
	readonly #incoming: string;
	readonly #blobs: string;

	constructor(root: string) {
		this.#root = root;
		this.#incoming = join(root, "incoming");
		this.#blobs = join(root, "sha256");
	}

	async prepare(): Promise<void> {
		for (const folder of [this.#root, this.#incoming, this.#blobs]) await makeFolder(folder);
	}

	async stage(source: AsyncIterable<Uint8Array>, options: { maxBytes: number }): Promise<StagedBlob> {
		const path = join(this.#incoming, randomUUID());
		const file = await open(path, "wx", 0o600);
		try {
			const hash = createHash("sha256");
			let size = 0;
			for await (const chunk of source) {
				size += chunk.byteLength;
				if (size > options.maxBytes) throw tooLarge(options.maxBytes);
				hash.update(chunk);
				await writeAll(file, chunk);
			}
			await file.sync();
			await file.close();
			return this.#staged(path, hash.digest("hex"), size);
		} catch (error) {
			await file.close().catch(() => undefined);
			await rm(path, { force: true });
			throw error;
		}
	}

	#staged(path: string, sha256: string, size: number): StagedBlob {
		let committed = false;
		return {
			sha256,
			size,
			bytes: () => createReadStream(path),
			commit: async () => {
				if (committed) return;
				await makeFolder(join(this.#blobs, sha256.slice(0, 2)));
				// An equal blob in that place is replaced on purpose: should it have rotted, this heals it.
				await moveIntoPlace(path, this.#place(sha256));
				committed = true;
			},
			discard: () => rm(path, { force: true }),
		};
	}

	async open(sha256: string, size: number): Promise<AsyncIterableIterator<Uint8Array> | undefined> {
		try {
			const file = await open(this.#place(sha256), "r");
			return await VerifiedRead.start(file, { sha256, size });
		} catch (error) {
			if (hasCode(error, "ENOENT")) return undefined;
			throw error;
		}
	}

	async removeUnfinished(): Promise<number> {
		const left = await readdir(this.#incoming);
		for (const name of left) await rm(join(this.#incoming, name), { recursive: true, force: true });
		if (left.length > 0) await syncFolder(this.#incoming);
		return left.length;
	}

	#place(sha256: string): string {
		// The last line of defence against path traversal: callers have validated, and this cannot be talked past.
		if (!/^[0-9a-f]{64}$/.test(sha256)) {
			throw new RegistryError("REGISTRY_REQUEST_INVALID", "a digest is 64 lowercase hex digits");
		}
		return join(this.#blobs, sha256.slice(0, 2), sha256);
	}
}

function tooLarge(maxBytes: number): RegistryError {
	return new RegistryError("REGISTRY_TOO_LARGE", `the body is larger than ${maxBytes} bytes`, {
		hint: "a bundle's archive may not be larger; see the limits in docs/formats/bundle.md",
		details: { maxBytes },
	});
}
