// The archive reader against hostile bytes: each test carries the name of its attack.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type ArchiveEntry, LIMITS, packArchive, readArchive } from "./archive.ts";
import { frameOf, type RawEntry, rawHeader, rawTar, runLengthFrame } from "./testing/raw-tar.ts";
import { codeOf, refusalOf } from "./testing/refusal.ts";

const text = (path: string, body = path): ArchiveEntry => ({ path, bytes: Buffer.from(body) });
const SAMPLE = [text("LICENSE"), text("README.md"), text("src/a.c", "x".repeat(512)), text("src/b.h", "")];
const read = (entries: readonly RawEntry[], end?: Uint8Array) =>
	refusalOf(readArchive(frameOf(rawTar(entries, end))));

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
	for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("packing", () => {
	it("gives the same bytes twice, and for shuffled input", () => {
		const once = packArchive(SAMPLE);
		expect(packArchive(SAMPLE)).toEqual(once);
		expect(packArchive(SAMPLE.toReversed())).toEqual(once);
		expect(packArchive([SAMPLE[2]!, SAMPLE[0]!, SAMPLE[3]!, SAMPLE[1]!])).toEqual(once);
	});

	it("is read back as it was packed, whole or one byte at a time", async () => {
		const archive = packArchive(SAMPLE);
		const plainly = (entries: ArchiveEntry[]) =>
			entries.map((e) => [e.path, Buffer.from(e.bytes).toString()]);
		const expected = plainly([...SAMPLE]);
		expect(plainly(await readArchive(archive))).toEqual(expected);
		expect(plainly(await readArchive(inPieces(archive, 1)))).toEqual(expected);
	});

	it("reads back an empty archive", async () => {
		expect(await readArchive(packArchive([]))).toEqual([]);
	});

	it("is what zstd and GNU tar unpack", () => {
		const folder = mkdtempSync(join(tmpdir(), "kfn-archive-"));
		try {
			const file = join(folder, "a.kfn");
			writeFileSync(file, packArchive(SAMPLE));
			execFileSync("tar", ["--use-compress-program=zstd", "-xf", file, "-C", folder]);
			for (const entry of SAMPLE) expect(readFileSync(join(folder, entry.path))).toEqual(entry.bytes);
			const listing = execFileSync(
				"tar",
				["--use-compress-program=zstd", "-tvf", file, "--utc", "--full-time"],
				{
					encoding: "utf8",
				},
			);
			expect(listing.split("\n")[0]).toMatch(/^-rw-r--r-- 0\/0 +7 1970-01-01 00:00:00 LICENSE$/);
		} finally {
			rmSync(folder, { recursive: true });
		}
	});

	it("refuses to write what it would not read", () => {
		expect(codeOf(() => packArchive([text("../x")]))).toBe("BUNDLE_PATH_ESCAPE");
		expect(codeOf(() => packArchive([text("a"), text("a")]))).toBe("BUNDLE_DUPLICATE_ENTRY");
		expect(codeOf(() => packArchive([text("a"), text("a/b")]))).toBe("BUNDLE_PATH_INVALID");
		const large = { path: "a", bytes: Buffer.alloc(LIMITS.entryBytes + 1) };
		expect(codeOf(() => packArchive([large]))).toBe("BUNDLE_TOO_LARGE");
		expect(codeOf(() => packArchive([{ path: "a", bytes: Buffer.alloc(4 * 1024 * 1024) }]))).toBe(
			"BUNDLE_BOMB",
		);
	});
});

describe("paths", () => {
	it.each([
		["path escape", "../../etc/passwd", "BUNDLE_PATH_ESCAPE"],
		["path escape from inside", "src/../../x", "BUNDLE_PATH_ESCAPE"],
		["path escape by backslash", "src\\..\\x", "BUNDLE_PATH_ESCAPE"],
		["absolute path", "/etc/passwd", "BUNDLE_PATH_ESCAPE"],
		["drive letter", "C:x", "BUNDLE_PATH_ESCAPE"],
		["hidden file", ".git/config", "BUNDLE_PATH_INVALID"],
		["dot part", "src/./a.c", "BUNDLE_PATH_INVALID"],
		["empty part", "src//a.c", "BUNDLE_PATH_INVALID"],
		["trailing slash", "src/", "BUNDLE_PATH_INVALID"],
		["option as path", "-rf", "BUNDLE_PATH_INVALID"],
		["terminal escape", "src/\x1b[2J", "BUNDLE_PATH_INVALID"],
		["no path at all", "", "BUNDLE_PATH_INVALID"],
	])("%s", async (_attack, path, code) => {
		const error = await read([{ path: "x", patch: { 0: path === "" ? "\0" : path } }]);
		expect(error.code).toBe(code);
		expect(error.message).not.toMatch(/\p{Cc}/u);
	});

	it("path escape through the ustar prefix", async () => {
		expect((await read([{ path: "passwd", patch: { 345: "../etc" } }])).code).toBe("BUNDLE_PATH_ESCAPE");
	});

	it("path of 100 bytes is read, the prefix that would make it longer is not", async () => {
		const path = `src/${"a".repeat(96)}`;
		expect(await readArchive(packArchive([text(path)]))).toHaveLength(1);
		expect((await read([{ path, patch: { 345: "b" } }])).code).toBe("BUNDLE_PATH_INVALID");
	});

	it("file as a folder", async () => {
		expect((await read([{ path: "src" }, { path: "src/a.c" }])).code).toBe("BUNDLE_PATH_INVALID");
	});

	it("duplicate entry, next to each other and apart", async () => {
		expect((await read([{ path: "a" }, { path: "a" }])).code).toBe("BUNDLE_DUPLICATE_ENTRY");
		expect((await read([{ path: "a" }, { path: "b" }, { path: "a" }])).code).toBe("BUNDLE_DUPLICATE_ENTRY");
	});
});

describe("entries that are not regular files", () => {
	it.each([
		["1", "a hard link"],
		["2", "a symbolic link"],
		["3", "a character device"],
		["4", "a block device"],
		["5", "a folder"],
		["6", "a named pipe"],
		["7", "a contiguous file"],
		["\0", "a file of the old tar format"],
		["x", "a pax header"],
		["g", "a global pax header"],
		["L", "a GNU long name"],
		["K", "a GNU long link"],
		["S", "a GNU sparse file"],
		["Z", "of unknown type 90"],
	])("typeflag %j is refused as %s", async (flag, kind) => {
		const error = await read([{ path: "src/a.c", patch: { 156: flag, 157: "/etc/passwd" } }]);
		expect(error.code).toBe("BUNDLE_SYMLINK");
		expect(error.message).toContain(kind);
		expect(error.exit).toBe(3);
	});
});

describe("fields that kfn never writes", () => {
	it.each([
		["set-user-id mode", "mode", { 100: "0004755\0" }],
		["owner", "uid", { 108: "0001750\0" }],
		["group", "gid", { 116: "0001750\0" }],
		["time", "mtime", { 136: "14716414070\0" }],
		["owner name", "uname", { 265: "root" }],
		["group name", "gname", { 297: "root" }],
		["GNU magic", "magic", { 257: "ustar  \0" }],
		["link name on a file", "linkname", { 157: "/etc/passwd" }],
		["device number", "devmajor", { 329: "0000001\0" }],
		["harmless prefix", "prefix", { 345: "src" }],
		["bytes behind the header", "padding", { 500: "x" }],
		["text hidden behind the name's NUL", "name", { 50: "hidden" }],
		["base-256 size", "size", { 124: "\x80\0\0\0\0\0\0\0\0\0\0\0" }],
		["size with a blank", "size", { 124: "0000000001 \0" }],
		["negative size", "size", { 124: "-0000000001\0" }],
	])("%s", async (_attack, field, patch) => {
		const error = await read([{ path: "a", patch }]);
		expect([error.code, error.details["field"]]).toEqual(["BUNDLE_NOT_DETERMINISTIC", field]);
	});

	it("checksum in another spelling", async () => {
		const block = rawHeader({ path: "a" });
		block.write(" ", 155, "latin1");
		block.write("\0\0", 154, "latin1");
		const error = await refusalOf(readArchive(frameOf(Buffer.concat([block, Buffer.alloc(1024)]))));
		expect([error.code, error.details["field"]]).toEqual(["BUNDLE_NOT_DETERMINISTIC", "checksum"]);
	});

	it("wrong checksum", async () => {
		const block = rawHeader({ path: "a" });
		block[0] = 0x62;
		const error = await refusalOf(readArchive(frameOf(Buffer.concat([block, Buffer.alloc(1024)]))));
		expect(error.code).toBe("BUNDLE_CORRUPT");
	});

	it("entries out of order", async () => {
		const error = await read([{ path: "b" }, { path: "a" }]);
		expect([error.code, error.details["field"]]).toEqual(["BUNDLE_NOT_DETERMINISTIC", "order"]);
	});

	it("data hidden in the padding", async () => {
		const tar = rawTar([{ path: "a", body: Buffer.from("abc") }]);
		tar[512 + 100] = 1;
		const error = await refusalOf(readArchive(frameOf(tar)));
		expect([error.code, error.details["field"]]).toEqual(["BUNDLE_NOT_DETERMINISTIC", "padding"]);
	});
});

describe("ends", () => {
	const archive = packArchive(SAMPLE);

	it("truncated archive, at every byte", async () => {
		for (let length = 0; length < archive.length; length++) {
			expect((await refusalOf(readArchive(archive.subarray(0, length)))).code).toBe("BUNDLE_TRUNCATED");
		}
	});

	it("trailing data after the frame", async () => {
		const error = await refusalOf(readArchive(Buffer.concat([archive, Buffer.from("x")])));
		expect(error.code).toBe("BUNDLE_TRAILING_DATA");
	});

	it("second frame after the first", async () => {
		const error = await refusalOf(readArchive(Buffer.concat([archive, archive])));
		expect(error.code).toBe("BUNDLE_TRAILING_DATA");
	});

	it("skippable frame before the first", async () => {
		const skippable = Buffer.from("502a4d1804000000deadbeef", "hex");
		const error = await refusalOf(readArchive(Buffer.concat([skippable, archive])));
		expect(error.code).toBe("BUNDLE_NOT_A_BUNDLE");
	});

	it("trailing data after the tar's end: another entry, zeros of GNU tar, a single byte", async () => {
		const more = rawTar([{ path: "b" }]);
		for (const extra of [more, Buffer.alloc(8192), Buffer.from("x")]) {
			const end = Buffer.concat([Buffer.alloc(1024), extra]);
			expect((await read([{ path: "a" }], end)).code).toBe("BUNDLE_TRAILING_DATA");
		}
		const halfEnd = Buffer.concat([Buffer.alloc(512), rawHeader({ path: "b" })]);
		expect((await read([{ path: "a" }], halfEnd)).code).toBe("BUNDLE_TRAILING_DATA");
	});

	it("truncated tar inside a whole frame", async () => {
		const tar = rawTar([{ path: "a", body: Buffer.from("abc") }]);
		for (const length of [0, 1, 511, 512, 513, 515, 1023, 1024, 1535, 1536, 2047]) {
			const error = await refusalOf(readArchive(frameOf(tar.subarray(0, length))));
			expect([length, error.code]).toEqual([length, "BUNDLE_TRUNCATED"]);
		}
	});

	it("size that reaches behind the end", async () => {
		expect((await read([{ path: "a", size: 1_000_000 }])).code).toBe("BUNDLE_TRUNCATED");
	});
});

describe("limits", () => {
	it("zip bomb that says its size is refused before it is expanded", async () => {
		const bomb = frameOf(Buffer.alloc(60 * 1024 * 1024));
		expect(bomb.length).toBeLessThan(16 * 1024);
		const error = await refusalOf(readArchive(bomb));
		expect(error.code).toBe("BUNDLE_BOMB");
		expect(error.details["contentBytes"]).toBe(60 * 1024 * 1024);
	});

	it("zip bomb that lies about its size is stopped at what it says", async () => {
		const before = process.memoryUsage().arrayBuffers;
		// 20,000 blocks become 2.4 GiB. The last claim is above the window, where zstd itself does not notice.
		for (const claim of [3072n, 1_000_000n, 9_000_000n]) {
			expect((await refusalOf(readArchive(runLengthFrame(20_000, claim)))).code).toBe("BUNDLE_BOMB");
		}
		expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024);
	});

	it("archive that becomes less than it says", async () => {
		expect((await refusalOf(readArchive(runLengthFrame(1, 1_000_000n)))).code).toBe("BUNDLE_CORRUPT");
	});

	it("size beyond every number", async () => {
		expect((await refusalOf(readArchive(runLengthFrame(1, 2n ** 64n - 1n)))).code).toBe("BUNDLE_BOMB");
	});

	it("window that would take 2 GiB", async () => {
		expect((await refusalOf(readArchive(runLengthFrame(1, 1n, 0xa8)))).code).toBe("BUNDLE_TOO_LARGE");
	});

	it("endless archive is not read to its end", async () => {
		let given = 0;
		async function* endless(): AsyncGenerator<Uint8Array> {
			const piece = Buffer.alloc(1024 * 1024);
			for (;;) {
				given += piece.length;
				yield piece;
			}
		}
		expect((await refusalOf(readArchive(endless()))).code).toBe("BUNDLE_TOO_LARGE");
		expect(given).toBe(LIMITS.archiveBytes + 1024 * 1024);
	});

	it("too many entries", async () => {
		const names = Array.from({ length: LIMITS.entries + 1 }, (_, i) => ({
			path: `a${String(i).padStart(5, "0")}`,
		}));
		expect((await read(names)).code).toBe("BUNDLE_TOO_LARGE");
		expect(await readArchive(frameOf(rawTar(names.slice(1))))).toHaveLength(LIMITS.entries);
	});

	it("entry that says it is too large", async () => {
		expect((await read([{ path: "a", size: LIMITS.entryBytes + 1 }])).code).toBe("BUNDLE_TOO_LARGE");
	});

	it("files too large together", async () => {
		const body = Buffer.alloc(LIMITS.entryBytes);
		for (let i = 0; i < body.length; i += 64) body.writeUInt32LE((i * 2654435761) >>> 0, i);
		const entries = ["a", "b", "c", "d"].map((path) => ({ path, body }));
		const error = await refusalOf(
			readArchive(frameOf(rawTar([...entries, { path: "e", body: Buffer.alloc(1) }]))),
		);
		expect(error.code).toBe("BUNDLE_TOO_LARGE");
		expect(error.message).toContain("together");
	});
});

describe("frames that kfn never writes", () => {
	const tar = rawTar([{ path: "a" }]);

	it("something that is not zstd", async () => {
		expect((await refusalOf(readArchive(tar))).code).toBe("BUNDLE_NOT_A_BUNDLE");
	});

	it("frame without checksum", async () => {
		const bare = frameOf(tar, { [constants.ZSTD_c_checksumFlag]: 0 });
		expect((await refusalOf(readArchive(bare))).message).toContain("checksum");
	});

	it("frame that does not say its size", async () => {
		const bare = frameOf(tar, { [constants.ZSTD_c_contentSizeFlag]: 0 });
		expect((await refusalOf(readArchive(bare))).message).toContain("how large");
	});

	it("frame that names a dictionary, and one that needs it without saying so", async () => {
		const dictionary = Buffer.from("ustar\x0000".repeat(64));
		const params = { [constants.ZSTD_c_checksumFlag]: 1 };
		const silent = zstdCompressSync(tar, { dictionary, params, pledgedSrcSize: tar.length });
		expect((await refusalOf(readArchive(silent))).code).toBe("BUNDLE_CORRUPT");
		const naming = frameOf(tar);
		naming[4]! |= 1;
		expect((await refusalOf(readArchive(naming))).message).toContain("dictionary");
	});

	it("flipped bit in the checksum", async () => {
		const bad = frameOf(tar);
		bad[bad.length - 1]! ^= 1;
		expect((await refusalOf(readArchive(bad))).code).toBe("BUNDLE_CORRUPT");
	});

	it("error of the source passes through", async () => {
		const cut = new Error("connection reset");
		async function* broken(): AsyncGenerator<Uint8Array> {
			yield tar;
			throw cut;
		}
		await expect(readArchive(broken())).rejects.toBe(cut);
	});
});
