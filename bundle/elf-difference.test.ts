// Two objects are the same only when everything but their DWARF is: each part of a real object, changed by one byte.

import { describe, expect, test } from "vitest";
import { objectDifference } from "./elf-difference.ts";
import { readElfFile } from "./elf-file.ts";
import { refusal } from "./testing/refusal.ts";
import { compileObject, SAMPLE_FLAGS } from "./testing/sample.ts";

const SOURCE = `
#include "kfn/sample.h"
NOTE("function=flow-dissector\\\\nabi=1\\\\nkernel=>=5.10\\\\n");
SEC("license") const char _license[] = "GPL";
int counter = 1;
static __attribute__((noinline)) int helper(int x) { return x + counter; }
SEC("flow_dissector") int sample(struct context *ctx) { return helper(ctx->other[0]); }
`;
const object = Buffer.from(compileObject(SOURCE));
const { sections } = readElfFile(object);
const isDwarf = (name: string): boolean => name.includes(".debug_");

/** The object with one byte turned around. */
function changed(at: number): Buffer {
	const copy = Buffer.from(object);
	copy[at] = copy[at]! ^ 1;
	return copy;
}

function offsetOf(name: string): number {
	const found = sections.find((section) => section.name === name)!;
	return found.bytes.byteOffset - object.byteOffset;
}

test("an object is the same as itself", () => {
	expect(objectDifference(object, Buffer.from(object))).toBeUndefined();
});

const kept = sections.filter(({ name, size }) => size > 0 && !isDwarf(name)).map(({ name }) => name);

test("the sections that are compared are all but DWARF", () => {
	expect(kept).toEqual(
		expect.arrayContaining(
			[".text", ".rel.text", ".symtab", ".strtab", ".BTF", ".rel.BTF", ".BTF.ext", ".rel.BTF.ext"].concat([
				"flow_dissector",
				".relflow_dissector",
				"license",
				".data",
				".note.kfn",
				".llvm_addrsig",
			]),
		),
	);
});

describe.each(kept)("%s", (name) => {
	test("with another first byte is another object", () => {
		const other = changed(offsetOf(name));
		// A name table that begins otherwise is no ELF file: refused even before it is compared.
		if (name === ".strtab") expect(outcomeOf(other)).toBeDefined();
		else expect(objectDifference(object, other)?.part).toBe(`section ${name}`);
	});
});

function outcomeOf(other: Buffer): unknown {
	try {
		return objectDifference(object, other);
	} catch (error) {
		return error;
	}
}

test.each(sections.filter(({ name, size }) => size > 0 && isDwarf(name)).map(({ name }) => name))(
	"%s with another first byte is the same object",
	(name) => {
		expect(objectDifference(object, changed(offsetOf(name)))).toBeUndefined();
	},
);

test("DWARF of another length is the same object: it names who packaged the compiler", () => {
	const other = compileObject(SOURCE, [...SAMPLE_FLAGS, "-grecord-command-line"]);
	expect(other.byteLength).toBeGreaterThan(object.byteLength);
	expect(objectDifference(object, other)).toBeUndefined();
});

test.each([
	["e_flags", 48],
	["e_ident[EI_OSABI]", 7],
	["e_entry", 24],
])("%s of the ELF header counts", (_field, at) => {
	expect(objectDifference(object, changed(at))?.part).toBe("ELF header");
});

test("flags of a section count, also of DWARF", () => {
	const headers = Number(object.readBigUInt64LE(40));
	for (const { index, name } of sections.filter(({ index }) => index > 0)) {
		expect(objectDifference(object, changed(headers + index * 64 + 8))?.part).toBe(`section ${name}`);
	}
});

test("a stripped object, one section more and bytes behind the end are other objects", () => {
	const plain = compileObject(
		SOURCE,
		SAMPLE_FLAGS.filter((flag) => flag !== "-g"),
	);
	expect(objectDifference(object, plain)).toBeDefined();
	const more = compileObject(`${SOURCE}SEC("other") const int more = 1;\n`);
	expect(objectDifference(object, more)).toBeDefined();
	expect(objectDifference(object, Buffer.concat([object, Buffer.from("hidden")]))).toEqual({
		part: "bytes outside of sections",
		bytes: [0, 6],
	});
});

test("what is no object is refused", () => {
	expect(refusal(() => objectDifference(object, Buffer.alloc(100))).code).toBe("BUNDLE_ELF_INVALID");
});
