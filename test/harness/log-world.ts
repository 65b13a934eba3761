// Hosts that read a real registry whose state somebody tampers with: its database is edited under it, its log is made anew with its
// own stolen key. For the attacks on the transparency log.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Host, openHost } from "#host/host.ts";
import { loggedDocuments } from "#host/trust-state/log.ts";
import { openTrustSession, type SessionOptions, type TrustSession } from "#host/trust-state/session.ts";
import { appendToLog } from "#registry/log/append.ts";
import { openSqliteMetadataStore } from "#registry/store/open-sqlite.ts";
import type { TestServer } from "#registry/testing/server.ts";
import type { LogEntry } from "#signing/log/entry.ts";
import { logTrustOf, parseRegistryDocument } from "#signing/registry-document.ts";
import type { FetchFile } from "#signing/tuf/fetch-port.ts";
import { FakeKernel, fakeLoader, fakeNamespaces } from "./fake-kfn-load.ts";
import { pin } from "./trust-world.ts";

export interface LogHost extends Disposable {
	readonly root: string;
	readonly host: Host;
	readonly fetch: FetchFile;
	readonly options: SessionOptions;
	/** Reads the registry as every command does: metadata, documents, then the log. */
	refresh(): Promise<TrustSession>;
	/** Bytes fetched since the last call, and how many files they were. */
	traffic(): { bytes: number; files: number };
}

/** A host that has pinned the registry's root and has read nothing yet. */
export function openLogHost(server: TestServer): LogHost {
	const root = mkdtempSync(join(tmpdir(), "kfn-log-"));
	pin(root, server.trust!.rootBytes);
	const kernel = FakeKernel.boot(root);
	const host = openHost({ root, loader: fakeLoader(kernel), namespaces: fakeNamespaces(kernel) });
	let counted = { bytes: 0, files: 0 };
	const fetch: FetchFile = async (path) => {
		const response = await globalThis.fetch(`${server.url}/v1/${path}`);
		if (response.status === 404) return "missing";
		if (!response.ok) throw new Error(`${path}: ${response.status}`);
		const bytes = new Uint8Array(await response.arrayBuffer());
		counted = { bytes: counted.bytes + bytes.byteLength, files: counted.files + 1 };
		return bytes;
	};
	const options = { fetch, policy: "ed25519", companions: loggedDocuments(fetch) } as const;
	return {
		root,
		host,
		fetch,
		options,
		refresh: () => openTrustSession(host, options),
		traffic: () => {
			const now = counted;
			counted = { bytes: 0, files: 0 };
			return now;
		},
		[Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
	};
}

/** Edits the registry's database while it serves, as a thief of the machine can. */
export function tamper(server: TestServer, ...statements: string[]): void {
	const database = new DatabaseSync(join(server.dataDir, "registry.sqlite"));
	database.exec("pragma busy_timeout = 5000");
	for (const statement of statements) database.exec(statement);
	database.close();
}

/** Makes the whole log anew of these entries, properly signed by the registry's own log key. */
export async function forgeLog(server: TestServer, entries: readonly LogEntry[]): Promise<void> {
	const { online, documents } = server.trust!;
	const trust = logTrustOf(parseRegistryDocument(documents["kfn/registry.json"]))!;
	tamper(server, "delete from log_entries", "delete from log_tiles", "delete from log_checkpoints");
	await appendToServer(server, entries, { trust, secret: online.log });
}

/** Appends entries beside the running server, with its own key: a log grows without anything being published. */
export async function growServerLog(server: TestServer, entries: readonly LogEntry[]): Promise<void> {
	const { online, documents } = server.trust!;
	const trust = logTrustOf(parseRegistryDocument(documents["kfn/registry.json"]))!;
	await appendToServer(server, entries, { trust, secret: online.log });
}

async function appendToServer(
	server: TestServer,
	entries: readonly LogEntry[],
	signer: Parameters<typeof appendToLog>[1],
): Promise<void> {
	const store = await openSqliteMetadataStore(join(server.dataDir, "registry.sqlite"));
	try {
		await store.transaction(async (tx) => {
			for (const entry of entries) await appendToLog(tx, signer, entry);
		});
	} finally {
		await store.close();
	}
}
