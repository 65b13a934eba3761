// Contract of the log's part of the metadata port: entries, tiles and checkpoints move together or not at all. On every adapter.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Instance, metadataAdapters } from "../testing/metadata-adapters.ts";
import type { LogGrowth } from "./log-store.ts";
import type { MetadataStore } from "./metadata-store.ts";

/** Bytes that say which growth they belong to; the store must not care that they are no real tiles. */
const growth = (expectedSize: number, changes: Partial<LogGrowth> = {}): LogGrowth => ({
	expectedSize,
	entry: Buffer.from(`{"entry":${expectedSize},"text":"ü'; --"}`),
	published: null,
	tiles: [{ level: 0, index: 0, bytes: new Uint8Array((expectedSize + 1) * 32).fill(expectedSize) }],
	checkpoint: Buffer.from(`checkpoint ${expectedSize + 1}\n\n— a\n`),
	...changes,
});
const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();

describe.each(metadataAdapters)("log store on $name", ({ open }) => {
	let instance: Instance;
	let store: MetadataStore;
	beforeEach(async () => {
		instance = await open();
		store = instance.store;
	});
	afterEach(async () => {
		await store.close();
		await instance.remove();
	});
	const grow = (step: LogGrowth) => store.transaction((tx) => tx.growLog(step));

	test("an empty log has nothing", async () => {
		await store.read(async (reads) => {
			expect(await reads.newestCheckpoint()).toBeUndefined();
			expect(await reads.listCheckpoints()).toEqual([]);
			expect(await reads.findCheckpoint(0)).toBeUndefined();
			expect(await reads.findLogTile(0, 0)).toBeUndefined();
			expect(await reads.listLogEntries(0, 10)).toEqual([]);
			expect(await reads.findLogIndexes("a")).toEqual(new Map());
		});
	});

	test("what was appended comes back byte for byte, also to another connection", async () => {
		for (const size of [0, 1, 2]) expect(await grow(growth(size))).toBe(true);
		const other = await instance.openAgain();
		await other.read(async (reads) => {
			const newest = await reads.newestCheckpoint();
			expect([newest?.size, text(newest?.bytes)]).toEqual([3, text(growth(2).checkpoint)]);
			expect(await reads.findLogTile(0, 0)).toEqual(growth(2).tiles[0]);
			const entries = await reads.listLogEntries(1, 10);
			expect(entries.map(text)).toEqual([text(growth(1).entry), text(growth(2).entry)]);
			expect((await reads.listLogEntries(0, 1)).map(text)).toEqual([text(growth(0).entry)]);
			expect((await reads.listCheckpoints()).map(({ size }) => size)).toEqual([3, 2, 1]);
			expect(text((await reads.findCheckpoint(2))?.bytes)).toBe(text(growth(1).checkpoint));
		});
		await other.close();
	});

	test("growing swaps only from the expected size", async () => {
		expect(await grow(growth(1))).toBe(false);
		expect(await grow(growth(0))).toBe(true);
		expect(await grow(growth(0, { entry: Buffer.from("{}") }))).toBe(false);
		expect(await grow(growth(2))).toBe(false);
		const entries = await store.read((reads) => reads.listLogEntries(0, 10));
		expect(entries.map(text)).toEqual([text(growth(0).entry)]);
	});

	test("of many growths at once, exactly one wins", async () => {
		const other = await instance.openAgain();
		const steps = Array.from({ length: 10 }, (_, n) => growth(0, { entry: Buffer.from(String(n)) }));
		const won = await Promise.all(
			steps.map((step, n) => (n % 2 === 0 ? store : other).transaction((tx) => tx.growLog(step))),
		);
		expect(won.filter(Boolean)).toHaveLength(1);
		const [entry, ...more] = await store.read((reads) => reads.listLogEntries(0, 10));
		expect([text(entry), more]).toEqual([String(won.indexOf(true)), []]);
		await other.close();
	});

	test("a transaction that throws has appended nothing", async () => {
		await grow(growth(0));
		const failure = store.transaction(async (tx) => {
			await tx.growLog(growth(1));
			expect((await tx.newestCheckpoint())?.size).toBe(2);
			throw new Error("no");
		});
		await expect(failure).rejects.toThrow("no");
		await store.read(async (reads) => {
			expect((await reads.newestCheckpoint())?.size).toBe(1);
			expect(await reads.findLogTile(0, 0)).toEqual(growth(0).tiles[0]);
			expect(await reads.listLogEntries(0, 10)).toHaveLength(1);
		});
	});

	test("one transaction may append twice", async () => {
		await store.transaction(async (tx) => {
			expect(await tx.growLog(growth(0))).toBe(true);
			expect(await tx.growLog(growth(1))).toBe(true);
		});
		expect((await store.read((reads) => reads.newestCheckpoint()))?.size).toBe(2);
	});

	test("a tile grows in place, and every level and index has its own", async () => {
		const tile = (level: number, index: number, fill: number) => ({
			level,
			index,
			bytes: new Uint8Array(64).fill(fill),
		});
		await grow(growth(0, { tiles: [tile(0, 0, 1), tile(1, 0, 2)] }));
		await grow(growth(1, { tiles: [tile(0, 1, 3), tile(1, 0, 4)] }));
		await store.read(async (reads) => {
			expect(await reads.findLogTile(0, 0)).toEqual(tile(0, 0, 1));
			expect(await reads.findLogTile(0, 1)).toEqual(tile(0, 1, 3));
			expect(await reads.findLogTile(1, 0)).toEqual(tile(1, 0, 4));
			expect(await reads.findLogTile(1, 1)).toBeUndefined();
		});
	});

	test("versions are found by where they were published", async () => {
		await grow(growth(0));
		await grow(growth(1, { published: { name: "a", version: "1.0.0" } }));
		await grow(growth(2, { published: { name: "b", version: "1.0.0" } }));
		await grow(growth(3, { published: { name: "a", version: "1.1.0" } }));
		const indexes = await store.read((reads) => reads.findLogIndexes("a"));
		expect([...indexes].sort()).toEqual([
			["1.0.0", 1],
			["1.1.0", 3],
		]);
	});

	test("a checkpoint swaps only from the expected bytes", async () => {
		await grow(growth(0));
		const swap = (size: number, expected: string, bytes: string) =>
			store.transaction((tx) => tx.swapCheckpoint(size, Buffer.from(expected), Buffer.from(bytes)));
		const now = text(growth(0).checkpoint)!;
		expect(await swap(2, now, "x")).toBe(false);
		expect(await swap(1, "other", "x")).toBe(false);
		expect(await swap(1, now, `${now}— b\n`)).toBe(true);
		expect(text((await store.read((reads) => reads.newestCheckpoint()))?.bytes)).toBe(`${now}— b\n`);
	});

	test("old checkpoints are pruned, entries and tiles are not", async () => {
		for (const size of [0, 1, 2, 3]) await grow(growth(size));
		await store.transaction((tx) => tx.pruneCheckpoints(4, 2));
		await store.read(async (reads) => {
			expect((await reads.listCheckpoints()).map(({ size }) => size)).toEqual([4, 2]);
			expect(await reads.listLogEntries(0, 10)).toHaveLength(4);
		});
	});
});
