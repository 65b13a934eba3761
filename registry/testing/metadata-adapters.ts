// For tests only: every adapter of the metadata port, for its contract suites. Product code never imports it.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { openSqliteMetadataStore } from "../store/open-sqlite.ts";
import { temporaryFolder } from "./server.ts";

export interface Instance {
	/** Another connection to the same data, as a second process would have; also works after `store` was closed. */
	openAgain(): Promise<MetadataStore>;
	readonly store: MetadataStore;
	remove(): Promise<void>;
}

export const metadataAdapters: { name: string; open: () => Promise<Instance> }[] = [
	{
		name: "SQLite (node:sqlite)",
		open: async () => {
			const folder = temporaryFolder();
			const openAgain = () => openSqliteMetadataStore(join(folder, "registry.sqlite"));
			const remove = async () => rmSync(folder, { recursive: true });
			return { store: await openAgain(), openAgain, remove };
		},
	},
];
