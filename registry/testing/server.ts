// For tests only: a real registry on 127.0.0.1 over a temporary folder, and requests whose answers are all held against
// openapi.json. Product code never imports it.
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binOf } from "#signing/tuf/bins.ts";
import type { SnapshotSigned, TargetsSigned, TimestampSigned } from "#signing/tuf/metadata.ts";
import {
	BUNDLE_MEDIA_TYPE,
	type ErrorDocument,
	type IndexDocument,
	paths,
	type StatementsDocument,
	targetPaths,
} from "../api/wire.ts";
import type { RegistryEvent } from "../ops/registry-context.ts";
import type { TokenVerb } from "../ports/metadata-store.ts";
import { openRegistry, type Registry, type RegistryOptions } from "../serve.ts";
import { checkAnswer, validatorOf } from "./api-check.ts";
import type { TestBundle } from "./bundles.ts";
import { initialiseTestTrust, type TestTrust, type TestTrustOptions } from "./trust.ts";

export interface Answer {
	readonly status: number;
	readonly headers: Headers;
	readonly body: Uint8Array;
	readonly json: unknown;
	/** The error's code; empty for a success. */
	readonly code: string;
}

export interface Sent {
	readonly method?: string;
	readonly token?: string | undefined;
	readonly headers?: Record<string, string>;
	readonly body?: Uint8Array<ArrayBuffer> | string;
}

export class TestServer implements AsyncDisposable {
	readonly registry: Registry;
	readonly url: string;
	readonly dataDir: string;
	readonly events: RegistryEvent[];
	/** The keys behind the registry; undefined when its data folder was initialised before. */
	readonly trust: TestTrust | undefined;

	private constructor(
		parts: Pick<TestServer, "registry" | "url" | "dataDir" | "events"> & { trust: TestTrust | undefined },
	) {
		this.registry = parts.registry;
		this.trust = parts.trust;
		this.url = parts.url;
		this.dataDir = parts.dataDir;
		this.events = parts.events;
	}

	/** Initialises a new data folder, and takes one that has keys already as it is. */
	static async start(
		options: Partial<RegistryOptions> & { trust?: TestTrustOptions } = {},
	): Promise<TestServer> {
		const dataDir = options.dataDir ?? temporaryFolder();
		const now = options.now?.() ?? new Date();
		const trust = existsSync(join(dataDir, "keys"))
			? undefined
			: await initialiseTestTrust(dataDir, { now, ...options.trust });
		const events: RegistryEvent[] = [];
		const registry = await openRegistry({ report: (event) => events.push(event), ...options, dataDir });
		const { url } = await registry.listen({ host: "127.0.0.1", port: 0 });
		return new TestServer({ registry, url, dataDir, events, trust });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.registry.close();
		rmSync(this.dataDir, { recursive: true, force: true });
	}

	/** A token for everything, unless told otherwise. */
	async token(spec: { names?: string; verbs?: TokenVerb[]; expiresAt?: string } = {}): Promise<string> {
		const { names = "*", verbs = ["publish", "yank", "read"] } = spec;
		const expiresAt = spec.expiresAt ?? new Date(Date.now() + 3_600_000).toISOString();
		return (await this.registry.tokens.create({ label: "test", names, verbs, expiresAt })).token;
	}

	async request(path: string, sent: Sent = {}): Promise<Answer> {
		const { method = "GET", token, body } = sent;
		const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
		const response = await fetch(`${this.url}${path}`, {
			method,
			headers: { ...authorization, ...sent.headers },
			...(body === undefined ? {} : { body }),
		});
		const bytes = new Uint8Array(await response.arrayBuffer());
		const { status, headers } = response;
		checkAnswer({ method, path }, { status, headers, body: bytes });
		const isJson = headers.get("content-type")?.startsWith("application/json") ?? false;
		const json: unknown = isJson ? JSON.parse(Buffer.from(bytes).toString()) : undefined;
		return {
			status,
			headers,
			body: bytes,
			json,
			code: (json as ErrorDocument | undefined)?.error?.code ?? "",
		};
	}

	/** The path of a target, found through the metadata as a client finds it; undefined when nothing lists it. */
	async locate(path: string, token?: string): Promise<string | undefined> {
		const signed = async (role: string, version?: number) => {
			const answer = await this.request(paths.metadata(role, version), { token });
			if (answer.status !== 200) throw new Error(`${role}: ${answer.code}`);
			return (answer.json as { signed: never }).signed;
		};
		const timestamp: TimestampSigned = await signed("timestamp");
		const snapshot: SnapshotSigned = await signed("snapshot", timestamp.meta["snapshot.json"].version);
		const versionOf = (role: string) => snapshot.meta[`${role}.json`]?.version;
		const targets: TargetsSigned = await signed("targets", versionOf("targets"));
		const bins = targets.delegations?.succinct_roles;
		if (bins === undefined) throw new Error("no bins");
		const bin: TargetsSigned = await signed(binOf(path, bins), versionOf(binOf(path, bins)));
		const file = targets.targets[path] ?? bin.targets[path];
		return file && paths.target(path, file.hashes.sha256);
	}

	/** The index of a name as the metadata lists it now; undefined when it lists none. */
	async index(name: string, token?: string): Promise<IndexDocument | undefined> {
		const path = await this.locate(targetPaths.index(name), token);
		if (path === undefined) return undefined;
		const answer = await this.request(path, { token });
		if (answer.status !== 200) throw new Error(`${path}: ${answer.code}`);
		if (!validatorOf("Index")(answer.json)) throw new Error(`${path}: not an Index`);
		return answer.json as IndexDocument;
	}

	/** What is listed of a kind of statement about a name, as the metadata lists it now. */
	async statements(kind: string, name: string): Promise<readonly object[]> {
		const path = await this.locate(targetPaths.statements(name, kind));
		if (path === undefined) return [];
		const answer = await this.request(path);
		if (!validatorOf("Statements")(answer.json)) throw new Error(`${path}: not Statements`);
		return (answer.json as StatementsDocument).statements;
	}

	publish(
		bundle: TestBundle,
		token: string | undefined,
		at: { name?: string; version?: string } = {},
	): Promise<Answer> {
		const path = paths.bundle(at.name ?? bundle.name, at.version ?? bundle.version);
		const headers = { "content-type": BUNDLE_MEDIA_TYPE };
		return this.request(path, { method: "PUT", token, headers, body: bundle.archive });
	}

	yank(bundle: TestBundle, token: string | undefined, reason: unknown): Promise<Answer> {
		const path = paths.yank(bundle.name, bundle.version);
		const headers = { "content-type": "application/json" };
		return this.request(path, { method: "POST", token, headers, body: JSON.stringify({ reason }) });
	}

	/** Digests of the blobs on disk. */
	blobsOnDisk(): string[] {
		return filesBelow(join(this.dataDir, "blobs", "sha256"));
	}

	/** Uploads that are, or were left, in the middle. */
	incomingOnDisk(): string[] {
		return readdirSync(join(this.dataDir, "blobs", "incoming"));
	}

	/** Resolves once exactly `count` uploads are in the middle. */
	uploadsUnderWay(count: number): Promise<void> {
		return changed(join(this.dataDir, "blobs", "incoming"), () => this.incomingOnDisk().length === count);
	}
}

/** Resolves at the first change in `folder` after which `holds`, or at once. */
export async function changed(folder: string, holds: () => boolean): Promise<void> {
	const watcher = watch(folder, { recursive: true });
	try {
		while (!holds()) await once(watcher, "change");
	} finally {
		watcher.close();
	}
}

export function temporaryFolder(): string {
	return mkdtempSync(join(tmpdir(), "kfn-registry-"));
}

export function filesBelow(folder: string): string[] {
	const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
	return entries
		.filter((entry) => entry.isFile())
		.map((entry) => entry.name)
		.sort();
}
