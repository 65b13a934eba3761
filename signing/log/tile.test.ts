// Tiles: the specification's own examples of paths and widths, every path spelled one way, and what a swapped, cut or foreign
// tile or entry bundle gives.
import { describe, expect, test } from "vitest";
import { GrowingLog } from "./testing/growing-log.ts";
import { decodeEntries, encodeEntries, parseTilePath, type TileName, tilePath, tileWidth } from "./tile.ts";

describe("paths", () => {
	const examples: [string, TileName][] = [
		["tile/0/x001/x234/067", { level: 0, index: 1_234_067, width: 256 }],
		["tile/0/000", { level: 0, index: 0, width: 256 }],
		["tile/0/999", { level: 0, index: 999, width: 256 }],
		["tile/63/x001/000.p/255", { level: 63, index: 1000, width: 255 }],
		["tile/2/000.p/1", { level: 2, index: 0, width: 1 }],
		["tile/entries/x001/x234/067.p/112", { level: "entries", index: 1_234_067, width: 112 }],
	];

	test.each(examples)("%s", (path, name) => {
		expect(tilePath(name)).toBe(path);
		expect(parseTilePath(path)).toEqual(name);
	});

	test.each([
		"tile/0/0",
		"tile/0/0000",
		"tile/0/x000/000",
		"tile/0/x000/x001/067",
		"tile/0/001/067",
		"tile/0/x1/067",
		"tile/0/X001/067",
		"tile/00/000",
		"tile/64/000",
		"tile/-1/000",
		"tile/0/000.p/0",
		"tile/0/000.p/01",
		"tile/0/000.p/256",
		"tile/0/000.p/257",
		"tile/0/000.p/",
		"tile/0/000.p",
		"tile/0/000/",
		"/tile/0/000",
		"tile/entries",
		"tile/Entries/000",
		"tile/0/x999/x999/x999/x999/x999/999",
		"tile/0/..%2f",
		"tile/0/000\n",
		"",
	])("%j is no tile's path", (path) => {
		expect(parseTilePath(path)).toBeUndefined();
	});

	test("every index has one path, and it leads back", () => {
		for (let index = 0; index < 5000; index++) {
			const name = { level: index % 64, index: index ** 3, width: 1 + (index % 256) };
			expect(parseTilePath(tilePath(name))).toEqual(name);
		}
	});
});

test("widths: the specification's tree of 70,000, and that of 256", () => {
	const all = (level: number, size: number) => {
		const widths = [];
		for (let index = 0; tileWidth(level, index, size) > 0; index++)
			widths.push(tileWidth(level, index, size));
		return widths;
	};
	expect(all(0, 70_000)).toEqual([...Array.from({ length: 273 }, () => 256), 112]);
	expect(all(1, 70_000)).toEqual([256, 17]);
	expect(all(2, 70_000)).toEqual([1]);
	expect(all(3, 70_000)).toEqual([]);
	expect([all(0, 256), all(1, 256)]).toEqual([[256], [1]]);
	expect(all(0, 0)).toEqual([]);
});

describe("entry bundles", () => {
	const name = (width: number) => ({ level: "entries", index: 0, width }) as const;

	test("the length is 16 bits, the high byte first", () => {
		const entries = [Buffer.from("a"), Buffer.alloc(0), Buffer.alloc(258, "b")];
		const bytes = encodeEntries(entries);
		expect([...bytes.slice(0, 7)]).toEqual([0, 1, 97, 0, 0, 1, 2]);
		expect(decodeEntries(bytes, name(3)).map((entry) => Buffer.from(entry))).toEqual(entries);
	});

	test("one that ends early, or holds more or fewer than its path says, is refused", () => {
		const bytes = encodeEntries([Buffer.from("abc"), Buffer.from("de")]);
		for (const [cut, width] of [
			[bytes.length - 1, 2],
			[6, 2],
			[5, 2],
			[bytes.length, 1],
			[bytes.length, 3],
			[0, 1],
		] as const) {
			expect(() => decodeEntries(bytes.slice(0, cut), name(width))).toThrow(wrongTile);
		}
	});
});

describe("tiles that are not the log's", () => {
	const entries = (count: number, text = "entry") =>
		Array.from({ length: count }, (_, n) => Buffer.from(`${text} ${n}`));

	test("a tile swapped for another of the same log", async () => {
		const log = GrowingLog.of(entries(1000));
		const head = log.head();
		log.rows.set("0/1", log.rows.get("0/0")!);
		await expect(log.tree(head).inclusionProof(300)).rejects.toEqual(wrongTile);
		await expect(log.tree(head).entry(300)).rejects.toEqual(wrongTile);
		// What does not need that tile is still answered.
		log.tree(head).inclusionProof(999);
	});

	test("a changed byte in any tile that is read", async () => {
		const sizes = [1, 255, 256, 257, 700];
		for (const size of sizes) {
			const log = GrowingLog.of(entries(size));
			const head = log.head();
			for (const [key, good] of [...log.rows]) {
				const bad = Uint8Array.from(good);
				bad[bad.length - 1]! ^= 1;
				log.rows.set(key, bad);
				const [level, index] = key.split("/").map(Number) as [number, number];
				const last = Math.min(size, (index + 1) * 256 ** (level + 1)) - 1;
				await expect(log.tree(head).entry(last)).rejects.toEqual(wrongTile);
				log.rows.set(key, good);
			}
		}
	});

	test("a tile cut short, or of another log", async () => {
		const log = GrowingLog.of(entries(300));
		const head = log.head();
		log.rows.set("0/1", log.rows.get("0/1")!.slice(0, 33));
		await expect(log.tree(head).rootAt(299)).rejects.toEqual(wrongTile);
		const other = GrowingLog.of(entries(300, "other"));
		await expect(other.tree(head).rootAt(10)).rejects.toEqual(wrongTile);
	});

	test("an entry changed, of the same length", async () => {
		const log = GrowingLog.of(entries(300));
		const tree = log.tree();
		log.log[299] = Buffer.from("entry 298");
		await expect(tree.entry(299)).rejects.toEqual(wrongTile);
		expect(Buffer.from(await tree.entry(0)).toString()).toBe("entry 0");
	});

	test("an index beyond the end is no tile's fault", async () => {
		const tree = GrowingLog.of(entries(3)).tree();
		await expect(tree.entry(3)).rejects.toMatchObject({ code: "LOG_NOT_INCLUDED" });
	});
});

const wrongTile = expect.objectContaining({ code: "LOG_TILE" });
