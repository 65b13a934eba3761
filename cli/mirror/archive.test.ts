// Exports as files: written in one spelling that other tars read, read in place, and every trick that a tar can play refused
// before a byte is taken from it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { Header, Pax } from "tar";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { BLOCK, END, encodeEntry, paddingOf } from "./archive-format.ts";
import { ArchiveTree } from "./archive-reader.ts";
import { ArchiveWriter } from "./archive-writer.ts";

const LONG = `v1/targets/${"n".repeat(64)}/${"a".repeat(64)}.${"n".repeat(64)}-1.0.0-${"b".repeat(58)}.kfn`;
const FILES: Readonly<Record<string, Uint8Array>> = {
	"v1/metadata/1.root.json": Buffer.from("{}"),
	[`v1/targets/alpha/${"a".repeat(64)}.alpha-1.0.0.kfn`]: Buffer.alloc(1000, "x"),
	[LONG]: Buffer.from("long"),
	"v1/log/tile/0/x001/234.p/7": Buffer.alloc(224, "t"),
	"v1/metadata/timestamp.json": Buffer.alloc(0),
};

let folder: string;
let file: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "kfn-archive-"));
	file = join(folder, "export.tar");
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

async function write(path: string, files = FILES): Promise<{ sha256: string; size: number }> {
	await using writer = await ArchiveWriter.create(path);
	for (const [name, bytes] of Object.entries(files)) await writer.place(name, bytes);
	return await writer.finish();
}

describe("what kfn writes", () => {
	test("comes back, and the same files give the same bytes", async () => {
		const first = await write(file);
		const second = await write(join(folder, "again.tar"));
		expect(second).toEqual(first);
		expect(readFileSync(file).byteLength).toBe(first.size);
		await using tree = await ArchiveTree.open(file);
		for (const [name, bytes] of Object.entries(FILES)) {
			expect(Buffer.from((await tree.read(name, 1000))!).equals(bytes), name).toBe(true);
		}
		expect(await tree.read("v1/names.json", 1000)).toBeUndefined();
	});

	test("GNU tar reads it", async () => {
		await write(file);
		const listed = execFileSync("tar", ["-tf", file], { encoding: "utf8" }).trim().split("\n");
		expect(listed).toEqual(Object.keys(FILES));
		execFileSync("tar", ["-xf", file, "-C", folder]);
		expect(readFileSync(join(folder, LONG), "utf8")).toBe("long");
	});

	test("never replaces a file, and one that was not finished leaves nothing", async () => {
		writeFileSync(file, "mine");
		await expect(write(file)).rejects.toMatchObject({ code: "CLI_FILE_EXISTS" });
		expect(readFileSync(file, "utf8")).toBe("mine");
		{
			await using writer = await ArchiveWriter.create(join(folder, "half.tar"));
			await writer.place("v1/names.json", Buffer.from("{}"));
		}
		for (const place of ["none/export.tar", "export.tar/export.tar"]) {
			const refused = await ArchiveWriter.create(join(folder, place)).catch((error: Error) => error);
			expect(refused, place).toMatchObject({
				code: "CLI_FILE_UNWRITABLE",
				message: expect.not.stringContaining(".tmp"),
			});
		}
		expect(readdirSync(folder)).toEqual(["export.tar"]);
	});
});

type Fields = ConstructorParameters<typeof Header>[0];

/** An entry as an attacker's tar spells it. */
function evil(fields: Fields, body: Uint8Array = Buffer.alloc(0)): Uint8Array {
	const block = Buffer.alloc(BLOCK);
	new Header({
		...{ mode: 0o644, uid: 0, gid: 0, size: body.byteLength, mtime: new Date(0), type: "File" },
		...{ linkpath: "", uname: "", gname: "", devmaj: 0, devmin: 0 },
		...(fields as object),
	} as Fields).encode(block);
	return Buffer.concat([block, body, Buffer.alloc(paddingOf(body.byteLength))]);
}

function entry(path: string, body = "{}"): Uint8Array {
	const bytes = Buffer.from(body);
	return Buffer.concat([
		encodeEntry(path, bytes.byteLength),
		bytes,
		Buffer.alloc(paddingOf(bytes.byteLength)),
	]);
}

async function refusal(...parts: Uint8Array[]): Promise<string> {
	writeFileSync(file, Buffer.concat(parts));
	try {
		await (await ArchiveTree.open(file))[Symbol.asyncDispose]();
	} catch (error) {
		expect(error).toMatchObject({ code: "CLI_EXPORT_MALFORMED", exit: 3 });
		return (error as Error).message;
	}
	return "taken";
}

describe("attacks", () => {
	test.each([
		"../../../etc/cron.d/evil",
		"v1/../../etc/passwd",
		"/etc/passwd",
		"v1/targets/../../../x",
		"v1/targets/alpha/evil.sh",
		"v1/index.html",
		"v1/targets/.ssh/authorized_keys",
		"./v1/names.json",
		"v1/names.json/",
		"v1/metadata/0.root.json",
		"v1/log/tile/0/../../x",
		"C:\\x",
	])("a path that is no name of a tree: %s", async (path) => {
		expect(await refusal(evil({ path }), END)).toMatch(/no name of a registry's tree|is a folder/);
	});

	test.each([
		["SymbolicLink", "a symbolic link"],
		["Link", "a hard link"],
		["CharacterDevice", "a character device"],
		["BlockDevice", "a block device"],
		["FIFO", "a named pipe"],
		["Directory", "a folder"],
		["GlobalExtendedHeader", "a global pax header"],
		["NextFileHasLongPath", "a GNU long name"],
		["GNUDumpDir", "no regular file"],
	])("%s", async (type, named) => {
		const link = { path: "v1/names.json", type, linkpath: "/etc/passwd", size: 0 } as Fields;
		expect(await refusal(evil(link), END)).toContain(named);
	});

	test("a pax header that gives another path, size, or a link's target", async () => {
		const pax = (fields: ConstructorParameters<typeof Pax>[0]) =>
			Buffer.concat([new Pax(fields).encode(), encodeEntry("v1/names.json", 0)]);
		expect(await refusal(pax({ path: "../evil" }), END)).toContain("no name of a registry's tree");
		expect(await refusal(pax({ path: LONG }), END)).toContain("is not as kfn writes it");
		expect(await refusal(pax({ size: 1 << 30 }), END)).toContain("something else than a path");
		expect(await refusal(pax({ path: LONG, linkpath: "/etc/passwd" }), END)).toContain("something else");
		expect(await refusal(pax({ path: `v1/${"x".repeat(4000)}` }), END)).toContain("more than a path");
		const path = new Pax({ path: LONG }).encode();
		expect(await refusal(path, path, END)).toContain("is not as kfn writes it");
	});

	test("a huge file is refused by its header, whether or not its bytes are there", async () => {
		for (const size of [16 * 1024 * 1024 + 1, 2 ** 33 - 1, 2 ** 40]) {
			const path = `v1/targets/alpha/${"a".repeat(64)}.alpha-1.0.0.kfn`;
			expect(await refusal(evil({ path, size }), END)).toContain("are the most");
		}
	});

	test("a compressed tar is no tar: nothing is ever expanded", async () => {
		expect(await refusal(gzipSync(Buffer.alloc(10 * 1024 * 1024)))).toMatch(/no tar|ends in the middle/);
	});

	test("a bomb of entries", async () => {
		const names = Array.from({ length: 101 }, (_, i) => `v1/metadata/${i + 1}.root.json`);
		await write(file, Object.fromEntries(names.map((name) => [name, Buffer.alloc(0)])));
		await expect(ArchiveTree.open(file, 100)).rejects.toMatchObject({
			code: "CLI_EXPORT_MALFORMED",
			message: expect.stringContaining("more than 100 entries"),
		});
	});

	test("a name twice", async () => {
		expect(await refusal(entry("v1/names.json"), entry("v1/names.json"), END)).toContain("twice");
	});

	test("another owner, mode, time or checksum than kfn writes", async () => {
		for (const fields of [
			{ mode: 0o4755 },
			{ uid: 1 },
			{ gid: 1 },
			{ mtime: new Date() },
			{ uname: "root" },
		]) {
			expect(await refusal(evil({ path: "v1/names.json", ...fields }), END)).toContain(
				"not as kfn writes it",
			);
		}
		const broken = Buffer.from(entry("v1/names.json"));
		broken[148]! ^= 1;
		expect(await refusal(broken, END)).toContain("not as kfn writes it");
	});

	test("cut at every block, and with something after its end", async () => {
		await write(file);
		const whole = readFileSync(file);
		for (let end = 0; end < whole.byteLength; end += BLOCK / 2) {
			expect(await refusal(whole.subarray(0, end)), `${end} bytes`).not.toBe("taken");
		}
		expect(await refusal(whole, entry("v1/names.json"))).toContain("does not end");
		expect(await refusal(whole, Buffer.alloc(64 * BLOCK))).toContain("does not end");
		expect(await refusal(whole, Buffer.alloc(16 * BLOCK))).toBe("taken");
	});

	test("a file that shrinks while it is read", async () => {
		await write(file);
		await using tree = await ArchiveTree.open(file);
		truncateSync(file, BLOCK);
		await expect(tree.read("v1/metadata/1.root.json", 1000)).rejects.toMatchObject({
			code: "CLI_EXPORT_MALFORMED",
		});
	});

	test("each byte of a header changed: refused, or another name or size that the metadata will not name", async () => {
		const one = Buffer.concat([entry("v1/metadata/1.root.json"), END]);
		for (let at = 0; at < BLOCK; at++) {
			const changed = Buffer.from(one);
			changed[at]! ^= 1;
			expect(await refusal(changed), `byte ${at}`).not.toBe("taken");
		}
	});
});
