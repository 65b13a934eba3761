// What verified metadata costs at 1,000 to 100,000 bundles in hashed bins, against one flat targets role that lists the same:
// bytes and time of tuf-js's refresh and look-up, cold and after one publish, and the registry's time per publish. The flat role is
// read by tuf-js up to 3,000 bundles only: @tufjs/models is quadratic. Its bytes are exact at every size.
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Metadata, MetadataKind, type Targets } from "@tufjs/models";
import type { MetadataStore, VersionRecord } from "#registry/ports/metadata-store.ts";
import { openSqliteMetadataStore } from "#registry/store/open-sqlite.ts";
import { StoreReader } from "#registry/testing/store-reader.ts";
import { initialiseTestStore, type TestTrust } from "#registry/testing/trust.ts";
import { archiveTarget, indexDocument, indexTarget } from "#registry/trust/index-document.ts";
import { keyringOf } from "#registry/trust/online-keys.ts";
import { publishTargets } from "#registry/trust/repository.ts";
import { serializeRegistryDocument } from "#signing/registry-document.ts";
import { DEFAULT_BINS } from "#signing/tuf/bins.ts";
import { serializeEnvelope, type TargetFile } from "#signing/tuf/metadata.ts";
import { signNew } from "#signing/tuf/sign.ts";
import { expiryAfter } from "#signing/tuf/time.ts";
import { type BenchRow, median, round } from "./row.ts";

const SIZES = [1_000, 3_000, 10_000, 100_000];
const BINS = [64, DEFAULT_BINS, 1024];
const FLAT_READ_UP_TO = 3_000;
const VERSIONS_PER_NAME = 10;
const PUBLISHES = 21;
/** The log is measured nowhere here. */
const WITHOUT_LOG = serializeRegistryDocument({
	origin: "bench/log",
	log: null,
	witnesses: [],
	quorum: 0,
});
const PEER = "one flat targets role";

type Report = (row: BenchRow) => void;

export async function run(report: Report): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), "kfn-bench-trust-"));
	try {
		for (const size of SIZES) await measureSize(folder, size, report);
	} finally {
		rmSync(folder, { recursive: true });
	}
}

async function measureSize(folder: string, size: number, report: Report): Promise<void> {
	const filled = join(folder, `${size}.sqlite`);
	const store = await openSqliteMetadataStore(filled);
	await fill(store, size);
	await store.close();
	const flat = await flatRole(size);
	for (const bins of [...new Set(BINS)].sort((a, b) => a - b)) {
		const copy = join(folder, `${size}-${bins}.sqlite`);
		copyFileSync(filled, copy);
		const metadata = await openSqliteMetadataStore(copy);
		const base = { bench: "trust", case: `${size} bundles, ${bins} bins`, peerName: PEER };
		await measureBins(metadata, { size, bins, flat, base }, report);
		await metadata.close();
	}
}

interface Setup {
	readonly size: number;
	readonly bins: number;
	readonly flat: Flat;
	readonly base: { readonly bench: string; readonly case: string; readonly peerName: string };
}

async function measureBins(metadata: MetadataStore, setup: Setup, report: Report): Promise<void> {
	const { size, bins, flat, base } = setup;
	let trust: TestTrust | undefined;
	const signing = await milliseconds(async () => {
		trust = await initialiseTestStore(metadata, { bins, registry: WITHOUT_LOG });
	});
	report({ ...base, metric: "ms to sign everything once", ours: round(signing), ...flat.sign });
	const reader = new StoreReader(metadata, trust!.rootBytes);
	const install = (name: number) => async () => {
		const updater = reader.updater();
		await updater.refresh();
		for (const path of [`${nameOf(name)}/index.json`, archivePath(name)]) {
			if ((await updater.getTargetInfo(path)) === undefined) throw new Error(`${path} is not listed`);
		}
	};
	const cold = await milliseconds(install(1));
	report({ ...base, metric: "ms refresh and look-up, cold", ours: round(cold), ...flat.read });
	const bytes = () => reader.asked.splice(0).reduce((sum, asked) => sum + asked.bytes, 0);
	report({ ...base, metric: "bytes, cold", ours: bytes(), peer: flat.bytes });
	const times: number[] = [];
	for (let i = 0; i < PUBLISHES; i++) {
		times.push(await milliseconds(() => publishOne(metadata, trust!, size / VERSIONS_PER_NAME + i)));
	}
	report({ ...base, metric: "ms to publish", ours: round(median(times)), ...flat.sign });
	const steady = await milliseconds(install(1));
	report({
		...base,
		metric: "ms refresh and look-up, after other publishes",
		ours: round(steady),
		...flat.read,
	});
	report({ ...base, metric: "bytes, after other publishes", ours: bytes(), peer: flat.bytes });
	rmSync(reader.folder, { recursive: true });
}

async function fill(store: MetadataStore, size: number): Promise<void> {
	await store.transaction(async (tx) => {
		for (let i = 0; i < size; i++)
			await tx.insertVersion(record(Math.floor(i / VERSIONS_PER_NAME), i % VERSIONS_PER_NAME));
	});
}

async function publishOne(metadata: MetadataStore, trust: TestTrust, name: number): Promise<void> {
	await metadata.transaction(async (tx) => {
		const published = record(name, 0);
		await tx.insertVersion(published);
		const { path, file } = archiveTarget(published);
		const index = indexTarget(await indexDocument(tx, published.name));
		const changes = { archives: new Map([[path, file]]), documents: [index] };
		await publishTargets(tx, changes, { keyring: keyringOf(trust.online), now: new Date() });
	});
}

interface Flat {
	readonly bytes: number;
	readonly sign: { readonly peer?: number };
	readonly read: { readonly peer?: number };
}

/** The same targets in one role: its exact bytes, and what @tufjs/models needs to sign and to read and verify it. */
async function flatRole(size: number): Promise<Flat> {
	const targets: Record<string, TargetFile> = {};
	for (let i = 0; i < size; i++) {
		const one = record(Math.floor(i / VERSIONS_PER_NAME), i % VERSIONS_PER_NAME);
		const { path, file } = archiveTarget(one);
		targets[path] = file;
		if (i % VERSIONS_PER_NAME === 0) targets[`${one.name}/index.json`] = file;
	}
	const expires = expiryAfter(new Date(), 1);
	const signed = { _type: "targets", spec_version: "1.0.34", version: 1, expires, targets } as const;
	const bytes = serializeEnvelope(await signNew(signed, []));
	if (size > FLAT_READ_UP_TO) return { bytes: bytes.byteLength, sign: {}, read: {} };
	const text = Buffer.from(bytes).toString();
	let read: Metadata<Targets> | undefined;
	const reading = await milliseconds(async () => {
		read = Metadata.fromJSON(MetadataKind.Targets, JSON.parse(text));
		// What verifying a signature hashes.
		read.signed.toJSON();
	});
	const sign = await milliseconds(async () => {
		JSON.stringify(read!.toJSON());
	});
	return { bytes: bytes.byteLength, sign: { peer: round(sign) }, read: { peer: round(reading) } };
}

function record(name: number, patch: number): VersionRecord {
	const unique = `${name.toString(16)}${patch.toString(16)}`.padStart(64, "0");
	return {
		name: nameOf(name),
		version: `1.0.${patch}`,
		sha256: unique,
		size: 40_000,
		manifestSha256: unique,
		tag: `kfn1:${unique}`,
		functionName: "flow-dissector",
		functionAbi: 1,
		requires: [{ kernel: ">=5.10", features: ["link:netns", "prog_type:flow_dissector"] }],
		publishedAt: "2026-01-01T00:00:00.000Z",
		publishedBy: "bench",
		yankedAt: null,
		yankReason: null,
		revision: 0,
	};
}

function nameOf(index: number): string {
	return `function-${index}`;
}

function archivePath(name: number): string {
	return `${nameOf(name)}/${nameOf(name)}-1.0.0.kfn`;
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
	const start = process.hrtime.bigint();
	await work();
	return Number(process.hrtime.bigint() - start) / 1e6;
}
