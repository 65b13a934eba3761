// kfn verify --rebuild on real bundles: what its source gives passes, and an object that differs anywhere but in its DWARF
// does not. Compiles for real; about five seconds.

import { beforeAll, describe, expect, test } from "vitest";
import { assembleBundle, type Bundle, openBundle, writeBundle } from "#bundle/bundle.ts";
import { readElfFile } from "#bundle/elf-file.ts";
import { NO_SIGNATURES, sampleBundle, sampleInput } from "#bundle/testing/sample.ts";
import { rebuild } from "./rebuild.ts";
import { openDisk } from "./testing/outside.ts";

const OBJECT = "obj/sample.bpf.o";

/** The sample with `change` made to its object, and a manifest that agrees. */
async function bundleWith(
	change: (object: Buffer, at: (section: string) => number) => void,
): Promise<Bundle> {
	const input = sampleInput();
	const object = Buffer.from(input.files.get(OBJECT)!);
	const { sections } = readElfFile(object);
	change(object, (name) => {
		const found = sections.find((section) => section.name === name)!;
		return found.bytes.byteOffset - object.byteOffset;
	});
	input.files.set(OBJECT, object);
	const { manifestBytes, files } = assembleBundle(input);
	return openBundle(writeBundle(manifestBytes, NO_SIGNATURES, files));
}

/** The place of a symbol's entry in the symbol table. */
function symbolAt(object: Buffer, table: number, name: string): number {
	const index = readElfFile(object).symbols.findIndex((symbol) => symbol.name === name);
	return table + index * 24;
}

let honest: Bundle;
beforeAll(async () => {
	honest = await openBundle(sampleBundle().archive);
});

test("an honest bundle passes", async () => {
	await expect(rebuild(honest)).resolves.toEqual({
		compiler: expect.stringMatching(/^clang \d/),
		objects: 1,
	});
});

test("other DWARF passes: a packager's name stands in it", async () => {
	const bundle = await bundleWith((object, at) => {
		object[at(".debug_str")] = object[at(".debug_str")]! ^ 1;
	});
	await expect(rebuild(bundle)).resolves.toMatchObject({ objects: 1 });
});

describe("a bundle is refused", () => {
	test("with a symbol made hidden in .symtab", async () => {
		const bundle = await bundleWith((object, at) => {
			object[symbolAt(object, at(".symtab"), "sample") + 5] = 2;
		});
		await expect(rebuild(bundle)).rejects.toMatchObject({
			code: "CLI_REBUILD_DIFFERS",
			details: { object: OBJECT, part: "section .symtab" },
		});
	});

	test("with another line in .BTF.ext", async () => {
		const bundle = await bundleWith((object, at) => {
			// The last line record's last field; what a human reads beside the program in bpftool.
			const end = at(".BTF.ext") + readElfFile(object).sections.find((s) => s.name === ".BTF.ext")!.size;
			object.writeUInt32LE(object.readUInt32LE(end - 4) + 1024, end - 4);
		});
		await expect(rebuild(bundle)).rejects.toMatchObject({
			code: "CLI_REBUILD_DIFFERS",
			details: { part: "section .BTF.ext" },
		});
	});

	test("with another flag in the ELF header", async () => {
		const bundle = await bundleWith((object) => {
			object.writeUInt32LE(1, 48);
		});
		await expect(rebuild(bundle)).rejects.toMatchObject({
			code: "CLI_REBUILD_DIFFERS",
			details: { part: "ELF header" },
		});
	});

	test("whose object holds a file that its source names by .incbin, though the verifier has the same file", async () => {
		using disk = openDisk();
		const bundle = sampleBundle({
			source: (text) => `${text}__asm__(".section .held\\n.incbin \\"${disk.outside}\\"\\n.previous");\n`,
		});
		await expect(rebuild(await openBundle(bundle.archive))).rejects.toMatchObject({
			code: "CLI_SOURCE_FORBIDDEN",
		});
	});
});
