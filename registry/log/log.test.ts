// The registry's log over a real store: entries and what they record commit together, damage is not signed over, witnesses count.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { type Checkpoint, openCheckpoint, signCheckpoint } from "#signing/log/checkpoint.ts";
import { cosign } from "#signing/log/cosignature.ts";
import { type LogEntry, parseLogEntry } from "#signing/log/entry.ts";
import { parseNote, serializeNote, signNote, verifierKey } from "#signing/log/note.ts";
import { LogTree } from "#signing/log/tree.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { openSqliteMetadataStore } from "../store/open-sqlite.ts";
import { temporaryFolder } from "../testing/server.ts";
import { appendToLog, type LogSigner, ownHead } from "./append.ts";
import { attachCosignatures, openCosigned } from "./cosign.ts";
import { servedCheckpoint } from "./served-checkpoint.ts";
import { storedTiles } from "./stored-tiles.ts";

const ORIGIN = "registry.example/log";
const NOW = 1_800_000_000;
const code = (name: string) => expect.objectContaining({ code: name });
const entry = (n: number): LogEntry => ({
	at: "2026-01-02T03:04:05.678Z",
	type: "publish",
	name: "sample",
	version: `1.0.${n}`,
	sha256: n.toString(16).padStart(64, "0"),
	manifestSha256: "b".repeat(64),
	tag: `kfn1:${"c".repeat(64)}`,
});

let folder: string;
let store: MetadataStore;
let log: LogSigner;
let witnesses: { name: string; secret: SecretKey }[];
beforeEach(async () => {
	folder = temporaryFolder();
	store = await openSqliteMetadataStore(join(folder, "registry.sqlite"));
	const secret = await generateKeyPair();
	witnesses = [];
	for (const name of ["w/1", "w/2"]) witnesses.push({ name, secret: await generateKeyPair() });
	const trust = {
		origin: ORIGIN,
		key: verifierKey(ORIGIN, "ed25519", secret.publicKey),
		witnesses: witnesses.map(({ name, secret: { publicKey } }) =>
			verifierKey(name, "cosignature", publicKey),
		),
		quorum: 0,
	};
	log = { trust, secret };
});
afterEach(async () => {
	await store.close();
	rmSync(folder, { recursive: true });
});

const append = (one: LogEntry) => store.transaction((tx) => appendToLog(tx, log, one));
const fill = (from: number, to: number) =>
	store.transaction(async (tx) => {
		for (let n = from; n < to; n++) expect(await appendToLog(tx, log, entry(n))).toBe(n);
	});
const newest = async () => (await store.read((reads) => reads.newestCheckpoint()))!;
const opened = async () => openCheckpoint((await newest()).bytes, log.trust);

test("every entry is at its index, and every earlier checkpoint is a beginning of the last", async () => {
	const heads: Checkpoint[] = [];
	for (const [from, to] of [
		[0, 1],
		[1, 255],
		[255, 256],
		[256, 257],
		[257, 600],
	] as const) {
		await fill(from, to);
		heads.push(await opened());
	}
	const head = await opened();
	await store.read(async (reads) => {
		const tree = new LogTree(storedTiles(reads), head);
		for (const before of heads) await tree.demandExtends(before);
		for (const n of [0, 255, 256, 599]) expect(parseLogEntry(await tree.entry(n))).toEqual(entry(n));
		expect((await reads.findLogIndexes("sample")).get("1.0.256")).toBe(256);
	});
});

test("what rolls back was never logged, and the index is free again", async () => {
	await append(entry(0));
	const before = await newest();
	const failure = store.transaction(async (tx) => {
		await appendToLog(tx, log, entry(1));
		throw new Error("the publish failed");
	});
	await expect(failure).rejects.toThrow("the publish failed");
	expect(await newest()).toEqual(before);
	expect(await append(entry(2))).toBe(1);
	const entries = await store.read((reads) => reads.listLogEntries(0, 10));
	expect(entries.map(parseLogEntry)).toEqual([entry(0), entry(2)]);
});

describe("a damaged store is not built upon", () => {
	/** Damage by another process; the store keeps its connections. */
	const damage = (...statements: string[]) => {
		const database = new DatabaseSync(join(folder, "registry.sqlite"));
		for (const statement of statements) database.exec(statement);
		database.close();
	};

	test.each([
		[
			"a changed hash",
			"update log_tiles set hashes = 'ff' || substr(hashes, 3) where level = 0 and number = 1",
		],
		["a tile that is gone", "delete from log_tiles where level = 1"],
		["a tile cut short", "update log_tiles set hashes = substr(hashes, 1, 64) where number = 1"],
		["a changed size", "update log_checkpoints set content = replace(content, '300', '299')"],
	])("%s", async (_, statement) => {
		await fill(0, 300);
		const before = await newest();
		damage(statement);
		await expect(append(entry(300))).rejects.toEqual(code("REGISTRY_LOG_DAMAGED"));
		expect((await newest()).size).toBe(before.size);
	});

	test("a checkpoint of another key", async () => {
		await fill(0, 3);
		const { size, root } = await store.read((reads) => ownHead(reads, log.trust));
		const forged = await signCheckpoint(ORIGIN, { size, root }, await generateKeyPair());
		const stored = await newest();
		await store.transaction((tx) => tx.swapCheckpoint(size, stored.bytes, forged));
		await expect(append(entry(3))).rejects.toEqual(code("REGISTRY_LOG_DAMAGED"));
	});
});

describe("witnesses", () => {
	const served = async (quorum: number) =>
		store.read((reads) => servedCheckpoint(reads, { ...log.trust, quorum }));
	const attach = async (bytes: Uint8Array) => {
		const opened = await openCosigned(bytes, log.trust);
		return store.transaction((tx) => attachCosignatures(tx, log.trust, opened));
	};
	/** The checkpoint with cosignatures of these witnesses only, as they would send it. */
	const cosigned = async (bytes: Uint8Array, ...signers: { name: string; secret: SecretKey }[]) => {
		const { text } = parseNote(bytes);
		return serializeNote({
			text,
			signatures: await Promise.all(signers.map((signer) => cosign(text, signer, NOW))),
		});
	};

	test("cosignatures gather on the checkpoint they are for, also after the log has grown", async () => {
		await append(entry(0));
		const first = await newest();
		expect(await attach(await cosigned(first.bytes, witnesses[0]!))).toEqual({ size: 1, cosigners: ["w/1"] });
		await append(entry(1));
		expect((await served(2))?.size).toBe(2); // none has the quorum: the newest, and hosts say what it lacks
		expect((await served(1))?.size).toBe(1);
		expect(await attach(await cosigned(first.bytes, witnesses[1]!))).toEqual({
			size: 1,
			cosigners: ["w/1", "w/2"],
		});
		const two = await served(2);
		expect(await openCheckpoint(two!.bytes, { ...log.trust, quorum: 2 })).toMatchObject({ size: 1 });
		expect((await served(0))?.size).toBe(2);
	});

	test("a witness that comes again changes nothing", async () => {
		await append(entry(0));
		await attach(await cosigned((await newest()).bytes, witnesses[0]!));
		const before = await newest();
		await attach(await cosigned(before.bytes, witnesses[0]!));
		expect(await newest()).toEqual(before);
	});

	test("the cosigned checkpoint stays however much the log grows; others go", async () => {
		log = { ...log, trust: { ...log.trust, quorum: 1 } };
		await fill(0, 3);
		await attach(await cosigned((await newest()).bytes, witnesses[0]!));
		await fill(3, 400);
		expect((await served(1))?.size).toBe(3);
		const sizes = (await store.read((reads) => reads.listCheckpoints())).map(({ size }) => size);
		// However long the witnesses stay away: every read and every append looks through all that are kept.
		expect([sizes.length, sizes[0], sizes.at(-1)]).toEqual([256 + 1 + 1, 400, 3]);
		log = { ...log, trust: { ...log.trust, quorum: 0 } };
		await append(entry(400));
		expect((await store.read((reads) => reads.listCheckpoints())).at(-1)?.size).toBe(401 - 256);
	});

	test("strangers, forgeries, other texts and unknown sizes are refused", async () => {
		await append(entry(0));
		const { bytes } = await newest();
		const { text } = parseNote(bytes);
		const refused = code("REGISTRY_COSIGNATURE_REFUSED");
		const stranger = { name: "w/1", secret: await generateKeyPair() };
		await expect(attach(await cosigned(bytes, stranger))).rejects.toEqual(refused);
		await expect(attach(bytes)).rejects.toEqual(refused);
		const own = await cosign(text, witnesses[0]!, NOW);
		const late = { ...own, bytes: own.bytes.with(7, 1) };
		await expect(attach(serializeNote({ text, signatures: [late] }))).rejects.toEqual(refused);
		const plain = await signNote(text, witnesses[0]!.name, witnesses[0]!.secret);
		await expect(attach(serializeNote({ text, signatures: [plain] }))).rejects.toEqual(refused);
		await expect(attach(Buffer.from("no note"))).rejects.toEqual(refused);
		const unknown = code("REGISTRY_CHECKPOINT_UNKNOWN");
		const { secret } = log;
		const fork = await signCheckpoint(ORIGIN, { size: 1, root: Buffer.alloc(32) }, secret);
		const later = await signCheckpoint(ORIGIN, { size: 2, root: Buffer.alloc(32) }, secret);
		for (const other of [fork, later]) {
			await expect(attach(await cosigned(other, witnesses[0]!))).rejects.toEqual(unknown);
		}
		expect((await newest()).bytes).toEqual(new Uint8Array(bytes));
	});
});
