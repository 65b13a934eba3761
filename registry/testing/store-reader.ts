// For tests only: tuf-js reading a metadata store without HTTP between them, as a standard client would. Product code never
// imports it.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Updater } from "tuf-js";
import { DownloadHTTPError } from "tuf-js/dist/error.js";
import type { MetadataReads, MetadataStore } from "../ports/metadata-store.ts";

const BASE = "http://store.invalid/v1";

/** A client with a folder of its own that trusts `rootBytes`. The folder persists what it trusts between updaters. */
export class StoreReader {
	readonly folder: string;
	readonly #metadata: MetadataStore;
	/** Paths asked for, in order, with the bytes of each answer. */
	readonly asked: { path: string; bytes: number }[] = [];

	constructor(metadata: MetadataStore, rootBytes: Uint8Array) {
		this.folder = mkdtempSync(join(tmpdir(), "kfn-reader-"));
		mkdirSync(join(this.folder, "metadata"));
		mkdirSync(join(this.folder, "targets"));
		writeFileSync(join(this.folder, "metadata/root.json"), rootBytes);
		this.#metadata = metadata;
	}

	/** An updater that starts from what the folder holds. */
	updater(): Updater {
		return new Updater({
			metadataDir: join(this.folder, "metadata"),
			targetDir: join(this.folder, "targets"),
			metadataBaseUrl: `${BASE}/metadata`,
			targetBaseUrl: `${BASE}/targets`,
			fetcher: { downloadFile: this.#download, downloadBytes: this.#fetch },
		});
	}

	/** Refreshes, finds the target and answers its verified bytes; undefined when nothing lists it. */
	async read(path: string): Promise<Uint8Array | undefined> {
		const updater = this.updater();
		await updater.refresh();
		const target = await updater.getTargetInfo(path);
		if (target === undefined) return undefined;
		const sha256 = target.hashes["sha256"] ?? "";
		const document = await this.#metadata.read((reads) => reads.findDocument(path, sha256));
		if (document === undefined) throw new Error(`${path} is listed and not stored`);
		const digest = createHash("sha256").update(document.bytes).digest("hex");
		if (digest !== sha256 || document.bytes.byteLength !== target.length) throw new Error("another document");
		return document.bytes;
	}

	/** What the metadata says of an archive. */
	async listed(
		path: string,
	): Promise<{ length: number; hashes: Record<string, string>; custom: unknown } | undefined> {
		const updater = this.updater();
		await updater.refresh();
		const target = await updater.getTargetInfo(path);
		return target && { length: target.length, hashes: target.hashes, custom: target.custom };
	}

	readonly #fetch = async (url: string, maxLength: number): Promise<Buffer> => {
		const bytes = await this.#metadata.read((reads) => this.#find(reads, url));
		if (bytes === undefined) throw new DownloadHTTPError(`no ${url}`, 404);
		if (bytes.byteLength > maxLength) throw new Error(`${url} is too long`);
		this.asked.push({ path: url.slice(BASE.length), bytes: bytes.byteLength });
		return Buffer.from(bytes);
	};

	readonly #download = async <T>(
		url: string,
		maxLength: number,
		work: (file: string) => Promise<T>,
	): Promise<T> => {
		const file = join(this.folder, "download");
		writeFileSync(file, await this.#fetch(url, maxLength));
		return work(file);
	};

	async #find(reads: MetadataReads, url: string): Promise<Uint8Array | undefined> {
		const match = /\/metadata\/(?:(\d+)\.)?([a-z0-9-]+)\.json$/.exec(url);
		const [, version, role = ""] = match ?? [];
		const file =
			version === undefined
				? await reads.currentTrustFile(role)
				: await reads.findTrustFile(role, Number(version));
		return file?.bytes;
	}
}
