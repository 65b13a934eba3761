// Contract of the blob port. Every adapter joins by an entry in `adapters`; `damage` reaches behind it, as a bad disk does.
import { createHash } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFolderBlobStore } from "../blob/folder-blob-store.ts";
import { filesBelow, temporaryFolder } from "../testing/server.ts";
import type { BlobStore } from "./blob-store.ts";

type Damage = "flip-last" | "flip-first" | "truncate" | "append" | "delete";

interface Instance {
	readonly store: BlobStore;
	openAgain(): Promise<BlobStore>;
	damage(sha256: string, how: Damage): void;
	/** Everything that takes space: digests of blobs, and how many uploads are unfinished. */
	contents(): { blobs: string[]; unfinished: number };
	remove(): void;
}

const adapters: { name: string; open: () => Promise<Instance> }[] = [
	{
		name: "a folder",
		open: async () => {
			const folder = temporaryFolder();
			const openAgain = () => openFolderBlobStore(join(folder, "blobs"));
			return {
				store: await openAgain(),
				openAgain,
				damage: (sha256, how) => damageFile(join(folder, "blobs/sha256", sha256.slice(0, 2), sha256), how),
				contents: () => ({
					blobs: filesBelow(join(folder, "blobs/sha256")),
					unfinished: readdirSync(join(folder, "blobs/incoming")).length,
				}),
				remove: () => rmSync(folder, { recursive: true }),
			};
		},
	},
];

function damageFile(path: string, how: Damage): void {
	const bytes = readFileSync(path);
	if (how === "delete") rmSync(path);
	else if (how === "append") appendFileSync(path, "x");
	else if (how === "truncate") truncateSync(path, bytes.length - 1);
	else {
		const at = how === "flip-first" ? 0 : bytes.length - 1;
		bytes[at] = (bytes[at] ?? 0) ^ 1;
		writeFileSync(path, bytes);
	}
}

const LIMIT = { maxBytes: 8 * 1024 * 1024 };
const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function* chunks(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array, void, undefined> {
	for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

async function collect(source: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
	const parts: Uint8Array[] = [];
	for await (const part of source ?? []) parts.push(part);
	return Buffer.concat(parts);
}

const SMALL = Buffer.from("a small blob");
// More than one chunk of any adapter, and not a multiple of one.
const LARGE = Buffer.alloc(3 * 1024 * 1024 + 17, "kfn ");

describe.each(adapters)("blob store in $name", ({ open }) => {
	let instance: Instance;
	let store: BlobStore;
	beforeEach(async () => {
		instance = await open();
		store = instance.store;
	});
	afterEach(() => instance.remove());
	const put = async (bytes: Uint8Array) => {
		const staged = await store.stage(chunks(bytes), LIMIT);
		await staged.commit();
		return staged.sha256;
	};

	test.each([
		["small", SMALL],
		["large", LARGE],
		["one byte", Buffer.from([0])],
		["exactly one chunk", Buffer.alloc(1024 * 1024, 7)],
		["exactly two chunks", Buffer.alloc(2 * 1024 * 1024, 7)],
	])("gives back what was committed: %s", async (_, bytes) => {
		const staged = await store.stage(chunks(bytes), LIMIT);
		expect(staged.sha256).toBe(digestOf(bytes));
		expect(staged.size).toBe(bytes.byteLength);
		expect((await collect(staged.bytes())).equals(bytes)).toBe(true);
		await staged.commit();
		await staged.discard();
		const again = await instance.openAgain();
		expect((await collect(await again.open(staged.sha256, staged.size))).equals(bytes)).toBe(true);
		expect(instance.contents()).toEqual({ blobs: [staged.sha256], unfinished: 0 });
	});

	test("staged bytes cannot be read by digest, and discard drops them", async () => {
		const staged = await store.stage(chunks(SMALL), LIMIT);
		expect(await store.open(staged.sha256, staged.size)).toBeUndefined();
		await staged.discard();
		await staged.discard();
		expect(instance.contents()).toEqual({ blobs: [], unfinished: 0 });
	});

	test("an unknown digest is undefined", async () => {
		expect(await store.open("0".repeat(64), 1)).toBeUndefined();
	});

	test.each(["../../etc/passwd", "A".repeat(64), `${"0".repeat(64)}/x`, ""])(
		"path traversal: %j is not a digest",
		async (text) => {
			await expect(store.open(text, 1)).rejects.toMatchObject({ code: "REGISTRY_REQUEST_INVALID" });
		},
	);

	test("equal bytes committed twice, at once and repeatedly, are one blob", async () => {
		const staged = await Promise.all([1, 2, 3].map(() => store.stage(chunks(LARGE), LIMIT)));
		await Promise.all(staged.map((one) => one.commit()));
		await staged[0]?.commit();
		expect(instance.contents()).toEqual({ blobs: [digestOf(LARGE)], unfinished: 0 });
	});

	test("stops at the size limit, with the stream not read to its end", async () => {
		let given = 0;
		async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
			for (;;) {
				given += 1024;
				yield Buffer.alloc(1024);
			}
		}
		await expect(store.stage(endless(), { maxBytes: 10_000 })).rejects.toMatchObject({
			code: "REGISTRY_TOO_LARGE",
		});
		expect(given).toBe(10_240);
		expect(instance.contents()).toEqual({ blobs: [], unfinished: 0 });
	});

	test("exactly the size limit is allowed, one byte more is not", async () => {
		const over = store.stage(chunks(Buffer.alloc(10_001)), { maxBytes: 10_000 });
		await expect(over).rejects.toMatchObject({ code: "REGISTRY_TOO_LARGE" });
		const staged = await store.stage(chunks(Buffer.alloc(10_000)), { maxBytes: 10_000 });
		expect(staged.size).toBe(10_000);
	});

	test("a stream that breaks leaves nothing behind, and its error is the caller's", async () => {
		async function* breaking(): AsyncGenerator<Uint8Array, void, undefined> {
			yield SMALL;
			throw new Error("cable cut");
		}
		await expect(store.stage(breaking(), LIMIT)).rejects.toThrow("cable cut");
		expect(instance.contents()).toEqual({ blobs: [], unfinished: 0 });
	});

	describe.each([
		["small", SMALL],
		["large", LARGE],
	])("a damaged blob (%s)", (_, bytes) => {
		test.each(["flip-first", "flip-last", "truncate", "append"] as const)(
			"is never given out whole: %s",
			async (how) => {
				const sha256 = await put(bytes);
				instance.damage(sha256, how);
				let received = 0;
				const read = async () => {
					for await (const part of (await store.open(sha256, bytes.byteLength)) ?? [])
						received += part.byteLength;
				};
				await expect(read()).rejects.toMatchObject({ code: "REGISTRY_BLOB_CORRUPT" });
				expect(received).toBeLessThan(bytes.byteLength);
			},
		);

		test.each(["flip-first", "truncate", "delete"] as const)(
			"is healed by committing its bytes again: %s",
			async (how) => {
				const sha256 = await put(bytes);
				instance.damage(sha256, how);
				expect(await put(bytes)).toBe(sha256);
				expect((await collect(await store.open(sha256, bytes.byteLength))).equals(bytes)).toBe(true);
			},
		);
	});

	test("a reader that stops early, or never starts, can return", async () => {
		const sha256 = await put(LARGE);
		const stopped = await store.open(sha256, LARGE.byteLength);
		await stopped?.next();
		await stopped?.return?.();
		expect(await stopped?.next()).toEqual({ done: true, value: undefined });
		const unstarted = await store.open(sha256, LARGE.byteLength);
		await unstarted?.return?.();
		expect(await unstarted?.next()).toEqual({ done: true, value: undefined });
	});

	test("removeUnfinished drops what is staged and nothing else", async () => {
		const sha256 = await put(SMALL);
		await store.stage(chunks(LARGE), LIMIT);
		expect(await store.removeUnfinished()).toBe(1);
		expect(await store.removeUnfinished()).toBe(0);
		expect(instance.contents()).toEqual({ blobs: [sha256], unfinished: 0 });
	});
});
