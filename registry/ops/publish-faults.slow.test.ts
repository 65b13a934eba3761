// Every write of publish and yank fails once, and once more "failed, but it was written": the error is seen, rows and signed
// metadata stay consistent, and a retry succeeds. Real SQLite, real files; only the failing call itself is made up.
import { readdirSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type IndexDocument, targetPaths } from "../api/wire.ts";
import { openFolderBlobStore } from "../blob/folder-blob-store.ts";
import type { BlobStore, StagedBlob } from "../ports/blob-store.ts";
import type { MetadataStore, MetadataTransaction } from "../ports/metadata-store.ts";
import { openSqliteMetadataStore } from "../store/open-sqlite.ts";
import { type TestBundle, testBundle } from "../testing/bundles.ts";
import { filesBelow, temporaryFolder } from "../testing/server.ts";
import { StoreReader } from "../testing/store-reader.ts";
import { initialiseTestStore, type TestTrust } from "../testing/trust.ts";
import { keyringOf } from "../trust/online-keys.ts";
import { authorizeWrite } from "./authorize.ts";
import { Metrics } from "./metrics.ts";
import { publish } from "./publish.ts";
import type { RegistryContext } from "./registry-context.ts";
import { createToken } from "./tokens.ts";
import { Turnstile } from "./turnstile.ts";
import { yank } from "./yank.ts";

type Mode = "failed" | "failed, but it was written";

/** Counts writes, and makes one of them fail. */
class FaultPlan {
	readonly seen: string[] = [];
	armed: { write: number; mode: Mode } | undefined;

	async write<T>(name: string, action: () => Promise<T>): Promise<T> {
		const mode = this.#enter(name);
		if (mode === "failed") throw new Error(`injected: ${name} failed`);
		const result = await action();
		if (mode !== undefined) throw new Error(`injected: ${name} failed, but it was written`);
		return result;
	}

	/** A commit: "failed" must roll back, so it fails inside; "but it was written" fails after. */
	async commit<T>(run: (beforeCommit: () => void) => Promise<T>): Promise<T> {
		let mode: Mode | undefined;
		const result = await run(() => {
			mode = this.#enter("transaction commit");
			if (mode === "failed") throw new Error("injected: commit failed");
		});
		if (mode !== undefined) throw new Error("injected: commit failed, but it was written");
		return result;
	}

	#enter(name: string): Mode | undefined {
		const armed = this.armed?.write === this.seen.length ? this.armed.mode : undefined;
		this.seen.push(name);
		return armed;
	}
}

function faultyMetadata(real: MetadataStore, plan: FaultPlan): MetadataStore {
	return {
		read: (work) => real.read(work),
		close: () => real.close(),
		transaction: (work) =>
			plan.commit((beforeCommit) =>
				real.transaction(async (tx) => {
					const result = await work(faultyTransaction(tx, plan));
					beforeCommit();
					return result;
				}),
			),
	};
}

const WRITING: ReadonlySet<string> = new Set([
	"insertVersion",
	"swapYank",
	"appendAudit",
	"insertTrustFile",
	"putDocument",
	"pruneTrust",
	"growLog",
]);

function faultyTransaction(tx: MetadataTransaction, plan: FaultPlan): MetadataTransaction {
	return new Proxy(tx, {
		get(target, property: keyof MetadataTransaction) {
			const method = (target[property] as (...args: unknown[]) => Promise<unknown>).bind(target);
			return WRITING.has(property)
				? (...args: unknown[]) => plan.write(property, () => method(...args))
				: method;
		},
	});
}

function faultyBlobs(real: BlobStore, plan: FaultPlan): BlobStore {
	const faulty = (staged: StagedBlob): StagedBlob => ({
		...staged,
		commit: () => plan.write("blob commit", () => staged.commit()),
		discard: () => plan.write("blob discard", () => staged.discard()),
	});
	return {
		open: (sha256, size) => real.open(sha256, size),
		removeUnfinished: () => real.removeUnfinished(),
		stage: async (source, options) =>
			faulty(await plan.write("blob stage", () => real.stage(source, options))),
	};
}

const MODES: Mode[] = ["failed", "failed, but it was written"];
let folder: string;
let bundle: TestBundle;
let plan: FaultPlan;
let registry: RegistryContext;
let trust: TestTrust;
beforeEach(async () => {
	folder = temporaryFolder();
	bundle = await testBundle();
	plan = new FaultPlan();
	await mkdir(join(folder, "data"));
	const metadata = await openSqliteMetadataStore(join(folder, "registry.sqlite"));
	trust = await initialiseTestStore(metadata);
	registry = {
		metadata: faultyMetadata(metadata, plan),
		blobs: faultyBlobs(await openFolderBlobStore(join(folder, "blobs")), plan),
		now: () => new Date(),
		keyring: async () => keyringOf(trust.online),
		private: false,
		metrics: new Metrics(),
		examinations: new Turnstile(1),
		report: () => undefined,
	};
});
afterEach(async () => {
	await registry.metadata.close();
	rmSync(folder, { recursive: true });
});

async function upload(token: string, archive = bundle.archive): Promise<{ created: boolean }> {
	const authorization = `Bearer ${token}`;
	const scope = await authorizeWrite(registry, { authorization, verb: "publish", name: bundle.name });
	async function* stream(): AsyncGenerator<Uint8Array, void, undefined> {
		yield archive;
	}
	return publish(registry, scope, { version: bundle.version, archive: stream() });
}

async function newToken(): Promise<string> {
	const expiresAt = new Date(Date.now() + 60_000).toISOString();
	return (await createToken(registry, { label: "x", names: "*", verbs: ["publish"], expiresAt })).token;
}

/** What a standard client verifies, from the root on. */
async function signedState() {
	const reader = new StoreReader(registry.metadata, trust.rootBytes);
	try {
		const bytes = await reader.read(targetPaths.index(bundle.name));
		const index = bytes && (JSON.parse(Buffer.from(bytes).toString()) as IndexDocument);
		return { index, archive: await reader.listed(targetPaths.archive(bundle.name, bundle.version)) };
	} finally {
		rmSync(reader.folder, { recursive: true });
	}
}

/** Either nothing is visible, or the whole version is, with its bytes. */
async function expectConsistent(): Promise<void> {
	const record = await registry.metadata.read((reads) => reads.findVersion(bundle.name, bundle.version));
	const names = await registry.metadata.read((reads) => reads.listNames("", 10));
	expect(names).toEqual(record === undefined ? [] : [bundle.name]);
	// No version is offered outside the log, and none is in it that is not offered.
	const { logged, entries, size } = await registry.metadata.read(async (reads) => ({
		logged: [...(await reads.findLogIndexes(bundle.name)).keys()],
		entries: (await reads.listLogEntries(0, 100)).length,
		size: (await reads.newestCheckpoint())?.size,
	}));
	expect([logged, entries]).toEqual([record === undefined ? [] : [bundle.version], size]);
	const { index, archive } = await signedState();
	expect(index?.versions.map((version) => version.sha256)).toEqual(record && [record.sha256]);
	expect(archive?.hashes["sha256"]).toBe(record?.sha256);
	if (record === undefined) return;
	const parts: Uint8Array[] = [];
	for await (const part of (await registry.blobs.open(record.sha256, record.size)) ?? []) parts.push(part);
	expect(Buffer.concat(parts).equals(bundle.archive)).toBe(true);
}

test("publish has exactly these writes", async () => {
	const token = await newToken();
	plan.seen.length = 0;
	await upload(token);
	expect(plan.seen).toEqual([
		"blob stage",
		"insertVersion",
		"growLog",
		"putDocument",
		// The bin of the archive, the bin of the index, the snapshot, the timestamp.
		...Array.from({ length: 4 }, () => "insertTrustFile"),
		"pruneTrust",
		"appendAudit",
		"blob commit",
		"transaction commit",
		"blob discard",
	]);
});

const WRITES = 13;
const faults = Array.from({ length: WRITES }, (_, write) => MODES.map((mode) => ({ write, mode }))).flat();

test.each(faults)("write $write $mode: consistent at once, and a retry succeeds", async (fault) => {
	const token = await newToken();
	plan.seen.length = 0;
	plan.armed = fault;
	const first = await upload(token).then(
		() => "published",
		(error: Error) => error.message,
	);
	// What cannot be dropped is no reason to call a finished upload failed; every other failure is seen.
	expect(first).toMatch(fault.write === WRITES - 1 ? /^published$/ : /^injected/);
	plan.armed = undefined;
	await expectConsistent();
	await upload(token);
	expect((await upload(token)).created).toBe(false);
	await expectConsistent();
	await registry.blobs.removeUnfinished();
	expect((await signedState()).index?.versions).toHaveLength(1);
	expect(filesBelow(join(folder, "blobs/sha256"))).toEqual([bundle.sha256]);
	expect(readdirSync(join(folder, "blobs/incoming"))).toEqual([]);
});

test.each(faults)(
	"write $write $mode, then other bytes: whoever was first for the hosts stays",
	async (fault) => {
		const token = await newToken();
		plan.seen.length = 0;
		plan.armed = fault;
		await upload(token).catch(() => undefined);
		plan.armed = undefined;
		const other = await testBundle({ readme: "other" });
		const visible = await registry.metadata.read((reads) => reads.findVersion(bundle.name, bundle.version));
		const outcome = await upload(token, other.archive).then(
			() => "published",
			(error: { code?: string }) => error.code,
		);
		expect(outcome).toBe(visible === undefined ? "published" : "REGISTRY_VERSION_EXISTS");
		const { index } = await signedState();
		expect(index?.versions.map((version) => version.sha256)).toEqual([visible?.sha256 ?? other.sha256]);
	},
);

const YANK_WRITES = 9;
const yankFaults = Array.from({ length: YANK_WRITES }, (_, write) =>
	MODES.map((mode) => ({ write, mode })),
).flat();

async function yankScope() {
	const expiresAt = new Date(Date.now() + 60_000).toISOString();
	const { token } = await createToken(registry, { label: "y", names: "*", verbs: ["yank"], expiresAt });
	return authorizeWrite(registry, { authorization: `Bearer ${token}`, verb: "yank", name: bundle.name });
}

test.each(yankFaults)(
	"yank, write $write $mode: signed index and row agree, and a retry succeeds",
	async (fault) => {
		await upload(await newToken());
		const scope = await yankScope();
		const request = { version: bundle.version, reason: "crash" };
		plan.seen.length = 0;
		plan.armed = fault;
		await expect(yank(registry, scope, request)).rejects.toThrow(/^injected/);
		plan.armed = undefined;
		const agree = async () => {
			const record = await registry.metadata.read((reads) => reads.findVersion(bundle.name, bundle.version));
			const { index } = await signedState();
			expect(index?.versions[0]?.yanked?.reason ?? null).toBe(record?.yankReason);
			return record?.yankReason;
		};
		await agree();
		await yank(registry, scope, request);
		expect(await agree()).toBe("crash");
	},
);

test("yank has exactly these writes", async () => {
	await upload(await newToken());
	const scope = await yankScope();
	plan.seen.length = 0;
	await yank(registry, scope, { version: bundle.version, reason: "crash" });
	expect(plan.seen).toEqual([
		"swapYank",
		"growLog",
		"putDocument",
		// The bin of the index, the snapshot, the timestamp.
		...Array.from({ length: 3 }, () => "insertTrustFile"),
		"pruneTrust",
		"appendAudit",
		"transaction commit",
	]);
});
