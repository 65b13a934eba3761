// Opens a registry on a data folder, listens, and closes gracefully. The one place that wires adapters to ports.
// Refuses to serve a folder that another process serves.

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { FastifyInstance } from "fastify";
import { RegistryError } from "./api/errors.ts";
import { buildApp, type TimeLimits } from "./app.ts";
import { openFolderBlobStore } from "./blob/folder-blob-store.ts";
import { Metrics } from "./ops/metrics.ts";
import type { RegistryContext, RegistryEvent } from "./ops/registry-context.ts";
import { Renewal } from "./ops/renew.ts";
import { createToken, listTokens, revokeToken, type TokenSpec, type TokenStatus } from "./ops/tokens.ts";
import { Turnstile } from "./ops/turnstile.ts";
import type { AuditRecord } from "./ports/metadata-store.ts";
import { type ServeLock, takeServeLock } from "./serve-lock.ts";
import { openSqliteMetadataStore } from "./store/open-sqlite.ts";
import { acceptMetadata, type Offered } from "./trust/accept.ts";
import { Ceremony } from "./trust/ceremony.ts";
import { openKeyring, settleOnlineKeys } from "./trust/online-keys.ts";
import { byTimer, type Schedule } from "./trust/renewal.ts";
import { demandKeys, onlineKeyIds, readLiveTrust } from "./trust/repository.ts";

const EXAMINATIONS_AT_ONCE = 2;
const CLOSE_GRACE_MS = 10_000;
const METADATA_FILE = "registry.sqlite";

export interface RegistryOptions {
	/** Made when missing, readable by its owner only. */
	readonly dataDir: string;
	/** True: reads need a token with the verb `read`. */
	readonly private?: boolean;
	readonly now?: () => Date;
	/** What wakes the renewal of metadata; the plain timer by default. */
	readonly schedule?: Schedule;
	readonly report?: (event: RegistryEvent) => void;
	readonly timeLimits?: TimeLimits;
}

export interface Registry {
	/**
	 * Listens; port 0 takes a free one. Once per registry. Errors: REGISTRY_NOT_INITIALISED, REGISTRY_KEYS_UNUSABLE,
	 * REGISTRY_DATA_IN_USE, REGISTRY_LISTEN_FAILED.
	 */
	listen(address: { host: string; port: number }): Promise<{ url: string }>;
	/** Stops taking requests, gives running ones ten seconds, closes the stores. Harmless twice. */
	close(): Promise<void>;
	readonly tokens: {
		create(spec: TokenSpec): Promise<{ id: string; token: string }>;
		list(): Promise<TokenStatus[]>;
		revoke(id: string): Promise<void>;
	};
	/**
	 * Takes new root and targets metadata live, also while another process serves the folder, and lets go of the online
	 * keys that it replaces. Errors of `acceptMetadata`, which leave everything as it was.
	 */
	accept(offered: Offered): Promise<void>;
	/** Makes, signs and accepts drafts of root and targets; works while another process serves the folder. */
	readonly ceremony: Ceremony;
	/** The audit log, newest first. */
	audit(limit?: number): Promise<AuditRecord[]>;
}

/**
 * Opens the registry in `dataDir` without serving it: tokens can be made while another process serves the same folder.
 *
 * Layout: `registry.sqlite` (metadata), `blobs/` (bytes), `keys/` (online keys), `serve.lock`. Error: REGISTRY_DATA_NEWER.
 */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
	const dataDir = resolve(options.dataDir);
	await mkdir(dataDir, { recursive: true, mode: 0o700 });
	const blobs = await openFolderBlobStore(join(dataDir, "blobs"));
	const metadata = await openSqliteMetadataStore(join(dataDir, METADATA_FILE));
	const context: RegistryContext = {
		metadata,
		blobs,
		now: options.now ?? (() => new Date()),
		keyring: () => openKeyring(dataDir),
		metrics: new Metrics(),
		private: options.private ?? false,
		examinations: new Turnstile(EXAMINATIONS_AT_ONCE),
		report: options.report ?? (() => undefined),
	};
	const { timeLimits, schedule = byTimer } = options;
	return new FolderRegistry(context, { dataDir, timeLimits, schedule });
}

/** Says whether somebody made a registry in the folder, initialised or not. */
export function isRegistry(dataDir: string): boolean {
	return existsSync(join(dataDir, METADATA_FILE));
}

interface Setup {
	readonly dataDir: string;
	readonly timeLimits: TimeLimits | undefined;
	readonly schedule: Schedule;
}

class FolderRegistry implements Registry {
	readonly #context: RegistryContext;
	readonly #setup: Setup;
	readonly #renewal: Renewal;
	readonly tokens = {
		create: (spec: TokenSpec) => createToken(this.#context, spec),
		list: () => listTokens(this.#context),
		revoke: (id: string) => revokeToken(this.#context, id),
	};
	readonly ceremony: Ceremony;
	#app: FastifyInstance | undefined;
	#lock: ServeLock | undefined;
	#closing: Promise<void> | undefined;

	constructor(context: RegistryContext, setup: Setup) {
		this.#context = context;
		this.#setup = setup;
		this.#renewal = new Renewal(context, setup.schedule);
		this.ceremony = new Ceremony(setup.dataDir, context, (offered) => this.accept(offered));
	}

	audit(limit = 100): Promise<AuditRecord[]> {
		return this.#context.metadata.read((reads) => reads.listAudit(limit));
	}

	async accept(offered: Offered): Promise<void> {
		const { metadata, now } = this.#context;
		const keyring = await this.#context.keyring();
		const inUse = await metadata.transaction(async (tx) => {
			await acceptMetadata(tx, offered, { keyring, now: now() });
			return onlineKeyIds(tx);
		});
		await settleOnlineKeys(this.#setup.dataDir, inUse);
	}

	async listen(address: { host: string; port: number }): Promise<{ url: string }> {
		if (this.#app !== undefined || this.#closing !== undefined) throw new Error("a registry listens once");
		demandKeys(await this.#context.keyring(), await this.#context.metadata.read(readLiveTrust));
		this.#lock = takeServeLock(this.#setup.dataDir);
		// Safe only under the lock: no other server can be in the middle of an upload.
		const removed = await this.#context.blobs.removeUnfinished();
		if (removed > 0) {
			this.#context.report({ event: "cleaned", message: `removed ${removed} interrupted uploads` });
		}
		await this.#renewal.start();
		this.#app = buildApp(this.#context, { limits: this.#setup.timeLimits });
		try {
			return { url: await this.#app.listen(address) };
		} catch (cause) {
			const reason = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
			throw new RegistryError(
				"REGISTRY_LISTEN_FAILED",
				`cannot listen on ${address.host}:${address.port} (${reason})`,
				{
					hint: "choose another --host or --port; 0 takes a free port",
					cause,
				},
			);
		}
	}

	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		const app = this.#app;
		if (app !== undefined) {
			const impatience = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
			await app.close();
			clearTimeout(impatience);
		}
		await this.#renewal.stop();
		await this.#context.metadata.close();
		this.#lock?.release();
	}
}
