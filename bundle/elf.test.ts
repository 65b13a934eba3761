// The ELF reader on objects that clang really makes, and on the same objects with one field broken.
import { describe, expect, it } from "vitest";
import { type ElfObject, readElf } from "./elf.ts";
import { encodeNoteSection, formatNote, parseNote, readNoteSection } from "./note.ts";
import { codeOf, refusal } from "./testing/refusal.ts";
import { compileObject } from "./testing/sample.ts";

const NOTE = "function=flow-dissector\nabi=1\nkernel=>=5.10\nfeature=prog_type:flow_dissector\n";
const HEAD = `#include "kfn/sample.h"
NOTE("${NOTE.replaceAll("\n", "\\\\n")}");
SEC("license") const char _license[] = "Dual BSD/GPL";
`;
const PLAIN = `${HEAD}
SEC("flow_dissector") int one(struct context *ctx) { return 0; }
SEC("flow_dissector") int two(struct context *ctx) { return ctx->flow_keys ? 2 : 0; }
SEC("tc") int three(struct context *ctx) { return 1; }
`;
const object = Buffer.from(compileObject(PLAIN));

/** A copy with one little-endian number written over it. */
function patched(offset: number, bytes: 1 | 2 | 4 | 8, value: number | bigint): Buffer {
	const copy = Buffer.from(object);
	if (bytes === 8) copy.writeBigUInt64LE(BigInt(value), offset);
	else copy.writeUIntLE(Number(value), offset, bytes);
	return copy;
}

const elf = readElf(object);
const headersAt = Number(object.readBigUInt64LE(40));
function section(name: string): { header: number; offset: number; index: number } {
	const index = elf.sections.findIndex((candidate) => candidate.name === name);
	const header = headersAt + index * 64;
	return { header, offset: Number(object.readBigUInt64LE(header + 24)), index };
}
function symbol(name: string): number {
	const { header, offset } = section(".symtab");
	const names = section(".strtab").offset;
	const count = Number(object.readBigUInt64LE(header + 32)) / 24;
	for (let i = 0; i < count; i++) {
		const at = names + object.readUInt32LE(offset + i * 24);
		if (object.toString("latin1", at, object.indexOf(0, at)) === name) return offset + i * 24;
	}
	throw new Error(`no symbol ${name}`);
}
const seen = (from: ElfObject) =>
	from.programs.map((p) => [p.name, p.section, p.insns.length / 8, p.linked + p.core]);

describe("objects of clang", () => {
	it("programs, license, note", () => {
		expect(seen(elf)).toEqual([
			["one", "flow_dissector", 2, 0],
			["two", "flow_dissector", expect.any(Number), 0],
			["three", "tc", 2, 0],
		]);
		expect(Buffer.from(elf.programs[0]!.insns).toString("hex")).toBe("b4000000000000009500000000000000");
		expect([elf.license, elf.note, elf.maps]).toEqual(["Dual BSD/GPL", NOTE, []]);
	});

	it("is read the same from the middle of a larger buffer", () => {
		const around = Buffer.concat([Buffer.alloc(13, 0xff), object, Buffer.alloc(7, 0xff)]);
		expect(seen(readElf(around.subarray(13, 13 + object.length)))).toEqual(seen(elf));
	});

	it("a map's address is a relocation of the program that uses it, and of no other", () => {
		const source = `${HEAD}
struct { int (*type)[2]; int (*max_entries)[1]; unsigned *key; unsigned long long *value; } flows SEC(".maps");
static unsigned long long counter;
SEC("flow_dissector") int untouched(struct context *ctx) { return 0; }
SEC("flow_dissector") int uses(struct context *ctx)
{
	counter++;
	return ((void *(*)(void *, const void *))1)(&flows, ctx) != 0;
}
`;
		const read = readElf(compileObject(source));
		expect(seen(read)).toEqual([
			["untouched", "flow_dissector", 2, 0],
			["uses", "flow_dissector", expect.any(Number), 2],
		]);
		const [flows] = read.maps;
		expect(flows).toEqual({ name: "flows", type: 2, keySize: 4, valueSize: 8, maxEntries: 1 });
		expect([read.data, read.programs.map(({ maps, foreign }) => [maps, foreign])]).toEqual([
			[".bss"],
			[
				[[], []],
				[["flows"], [".bss"]],
			],
		]);
	});

	it("a CO-RE access is a relocation", () => {
		const source = `${HEAD}
struct sk_buff { unsigned len; } __attribute__((preserve_access_index));
SEC("flow_dissector") int uses(struct sk_buff *skb) { return skb->len; }
`;
		expect(seen(readElf(compileObject(source)))).toEqual([["uses", "flow_dissector", expect.any(Number), 1]]);
	});

	it("a call of a subprogram is a relocation; the subprogram is no program", () => {
		const source = `${HEAD}
static __attribute__((noinline)) int helper(int x) { asm volatile("" : "+r"(x)); return x; }
SEC("flow_dissector") int calls(struct context *ctx) { return helper(ctx->flow_keys & 1); }
`;
		expect(seen(readElf(compileObject(source)))).toEqual([
			["calls", "flow_dissector", expect.any(Number), 1],
		]);
	});

	it("a static program is refused, as libbpf refuses it", () => {
		const source = `${HEAD}SEC("flow_dissector") static int hidden(struct context *ctx) { return 0; }\n`;
		expect(refusal(() => readElf(compileObject(source))).message).toContain('static program "hidden"');
	});

	it("an object for another machine is refused", () => {
		const host = compileObject(PLAIN, ["-target", "x86_64-linux-gnu", "-O2", "-nostdinc"]);
		expect(refusal(() => readElf(host)).message).toContain("machine 62");
		const big = compileObject(PLAIN, ["-target", "bpfeb", "-O2", "-nostdinc"]);
		expect(refusal(() => readElf(big)).message).toContain("little-endian");
	});
});

describe("broken objects", () => {
	const HUGE = 2n ** 64n - 1n;
	it.each([
		["32-bit class", 4, 1, 1],
		["executable file", 16, 2, 2],
		["ELF version 2", 20, 4, 2],
		["section headers behind the end", 40, 8, object.length],
		["section headers beyond every number", 40, 8, HUGE],
		["ELF header of another size", 52, 2, 65],
		["program headers", 56, 2, 1],
		["section headers of another size", 58, 2, 40],
		["no sections", 60, 2, 0],
		["65535 sections", 60, 2, 65535],
		["no section names", 62, 2, 0],
		["section names out of range", 62, 2, 65535],
		["first section not null", headersAt + 4, 4, 1],
		["section behind the end", section("license").header + 24, 8, object.length],
		["section beyond every number", section("license").header + 32, 8, HUGE],
		["section whose end wraps", section("license").header + 24, 8, HUGE - 5n],
		["section name out of its table", section("license").header, 4, 0xffffffff],
		["two sections of one name", section("license").header, 4, object.readUInt32LE(section("tc").header)],
		["license that does not end", section("license").offset + 12, 1, 0x41],
		["text behind the license's NUL", section("license").offset + 4, 1, 0],
		["no symbol table", section(".symtab").header + 4, 4, 1],
		["two symbol tables", section("license").header + 4, 4, 2],
		["symbol table without names", section(".symtab").header + 40, 4, section("license").index],
		["symbol table of odd size", section(".symtab").header + 32, 8, 25],
		["symbol name out of its table", symbol("one"), 4, 0xfffffff],
		["program of no size", symbol("one") + 16, 8, 0],
		["program of odd size", symbol("one") + 16, 8, 12],
		["program that reaches into the next", symbol("one") + 16, 8, 24],
		["program that leaves a gap", symbol("one") + 16, 8, 8],
		["program out of its section", symbol("three") + 16, 8, 1 << 20],
		["program beyond every number", symbol("three") + 16, 8, HUGE],
		["code that no program covers", symbol("three") + 4, 1, 0x10],
		["RELA relocations", section("license").header + 4, 4, 4],
		["relocations of odd size", section("license").header + 4, 4, 9],
		["note section that is no note", section(".note.kfn").header + 4, 4, 1],
		[".BTF.ext of another form", section(".BTF.ext").offset, 2, 0],
		[".BTF.ext with CO-RE records behind the end", section(".BTF.ext").offset + 28, 4, 0x7fffffff],
	] as const)("%s", (_what, offset, bytes, value) => {
		expect(codeOf(() => readElf(patched(offset, bytes, value)))).toBe("BUNDLE_ELF_INVALID");
	});

	it("names that are megabytes long, shared by every symbol", () => {
		const { header } = section(".strtab");
		const bomb = Buffer.concat([object, Buffer.alloc(8 * 1024 * 1024, 0x61), Buffer.alloc(1)]);
		bomb.writeBigUInt64LE(BigInt(object.length), header + 24);
		bomb.writeBigUInt64LE(BigInt(bomb.length - object.length), header + 32);
		expect(refusal(() => readElf(bomb)).message).toContain("over 1024 bytes");
	});

	it("cut off at every length", () => {
		for (let length = 0; length < object.length; length += 7) {
			expect(codeOf(() => readElf(object.subarray(0, length)))).toBe("BUNDLE_ELF_INVALID");
		}
	});

	it("relocation outside its section, and one without a symbol", () => {
		const source = `${HEAD}static unsigned long long counter;\nSEC("tc") int uses(void *ctx) { return counter++; }\n`;
		const good = Buffer.from(compileObject(source));
		const sections = readElf(good).sections;
		const at = Number(good.readBigUInt64LE(40)) + sections.findIndex((s) => s.name === ".reltc") * 64;
		const table = Number(good.readBigUInt64LE(at + 24));
		for (const [offset, width] of [
			[0, 8],
			[12, 4],
		] as const) {
			const bad = Buffer.from(good);
			bad.fill(0x7f, table + offset, table + offset + width);
			expect(codeOf(() => readElf(bad))).toBe("BUNDLE_ELF_INVALID");
		}
	});
});

describe("notes", () => {
	const id = { name: "flow-dissector", abi: 1 };

	it("text and facts are the same thing twice", () => {
		expect(parseNote(NOTE)).toEqual({
			function: id,
			requires: { kernel: ">=5.10", features: ["prog_type:flow_dissector"] },
		});
		expect(formatNote(id, { kernel: ">=5.10", features: ["b", "a"] })).toContain("feature=a\nfeature=b\n");
		for (const text of [NOTE, `${NOTE}x`, "function=a\nabi=1\nkernel=<7.0\n"]) {
			expect(readNoteSection(encodeNoteSection(text))).toBe(text);
		}
	});

	it.each([
		["empty", ""],
		["no line feed at the end", NOTE.slice(0, -1)],
		["other order", NOTE.replace("abi=1\nkernel=>=5.10\n", "kernel=>=5.10\nabi=1\n")],
		["key twice", NOTE.replace("abi=1\n", "abi=1\nabi=1\n")],
		["unknown key", `${NOTE}license=MIT\n`],
		["abi with a leading zero", NOTE.replace("abi=1", "abi=01")],
		["features out of order", `${NOTE}feature=link:netns\n`],
	])("text with %s is refused", (_what, text) => {
		expect(codeOf(() => parseNote(text))).toBe("BUNDLE_NOTE_INVALID");
	});

	const good = Buffer.from(encodeNoteSection(NOTE));
	const changed = (change: (bytes: Buffer) => Buffer | number): Buffer => {
		const copy = Buffer.from(good);
		const result = change(copy);
		return typeof result === "number" ? copy : result;
	};
	it.each([
		["another owner", changed((b) => b.write("GNU", 12))],
		["a longer owner", changed((b) => b.writeUInt32LE(5, 0))],
		["another type", changed((b) => b.writeUInt32LE(2, 8))],
		["a text that reaches out", changed((b) => b.writeUInt32LE(b.length, 4))],
		["a text of 4 GiB", changed((b) => b.writeUInt32LE(0xffffffff, 4))],
		["a second note", changed((b) => Buffer.concat([b, b]))],
		["text hidden behind a NUL", changed((b) => b.writeUInt8(0, 20))],
		["a control character", changed((b) => b.writeUInt8(0x1b, 20))],
		["a byte that is not ASCII", changed((b) => b.writeUInt8(0xe9, 20))],
		["nothing in it", Buffer.alloc(0)],
		["a cut header", good.subarray(0, 15)],
		["too much text", Buffer.from(encodeNoteSection("x".repeat(4100)))],
	])("section with %s is refused", (_what, bytes) => {
		expect(codeOf(() => readNoteSection(bytes))).toBe("BUNDLE_NOTE_INVALID");
	});
});
