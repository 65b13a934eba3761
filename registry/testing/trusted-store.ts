// For tests only: a metadata store in a folder of its own, with a test registry's trust in it and a client that reads it.
// Product code never imports it.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { openSqliteMetadataStore } from "../store/open-sqlite.ts";
import { temporaryFolder } from "./server.ts";
import { StoreReader } from "./store-reader.ts";
import { initialiseTestStore, type TestTrust } from "./trust.ts";

export interface TrustedStore extends AsyncDisposable {
	readonly metadata: MetadataStore;
	/** Another connection to the same data, as a second process would have. */
	openAgain(): Promise<MetadataStore>;
	/** Another store, in which there is nothing; the caller closes it. */
	openEmpty(): Promise<MetadataStore>;
	readonly trust: TestTrust;
	readonly reader: StoreReader;
}

/** Opens it; closed and removed on dispose. */
export async function openTrustedStore(): Promise<TrustedStore> {
	const folder = temporaryFolder();
	const openAgain = () => openSqliteMetadataStore(join(folder, "registry.sqlite"));
	const metadata = await openAgain();
	const trust = await initialiseTestStore(metadata);
	const reader = new StoreReader(metadata, trust.rootBytes);
	return {
		metadata,
		openAgain,
		openEmpty: () => openSqliteMetadataStore(join(folder, "empty.sqlite")),
		trust,
		reader,
		async [Symbol.asyncDispose]() {
			await metadata.close();
			for (const path of [folder, reader.folder]) rmSync(path, { recursive: true });
		},
	};
}
