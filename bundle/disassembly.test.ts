// The disassembler against LLVM's assembler: its text, assembled again, is the same bytes, for every opcode byte with every field
// that the instruction set gives a meaning, and for what the flow dissector compiles to.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { disassemble } from "./disassembly.ts";
import { readElf } from "./elf.ts";
import { sampleInput } from "./testing/sample.ts";

/** What clang-19 makes of a program's text; numbers of a jump are relative, so that no label is needed. */
function assemble(lines: readonly string[]): Uint8Array {
	const folder = mkdtempSync(join(tmpdir(), "kfn-asm-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const head = ['.section tc,"ax",@progbits', ".globl f", ".type f,@function", "f:"];
	const text = [...head, ...lines, ".size f, .-f", ""].join("\n");
	writeFileSync(join(folder, "a.s"), text);
	execFileSync("clang-19", ["-target", "bpf", "-mcpu=v4", "-c", "a.s", "-o", "a.o"], { cwd: folder });
	return readElf(readFileSync(join(folder, "a.o"))).programs[0]!.insns;
}

interface Fields {
	readonly dst?: number;
	readonly src?: number;
	readonly off?: number;
	readonly imm?: number;
}

function insn(opcode: number, { dst = 0, src = 0, off = 0, imm = 0 }: Fields): Buffer {
	const bytes = Buffer.alloc(8);
	bytes[0] = opcode;
	bytes[1] = (src << 4) | dst;
	bytes.writeInt16LE(off, 2);
	bytes.writeInt32LE(imm, 4);
	return bytes;
}

/** Values that tell the fields' meanings apart: every special one, both signs, and the ends. */
const OFFS = [0, 1, 8, 16, 32, 7, -1, 32767, -32768];
const IMMS = [0, 1, 16, 32, 64, -5, 2147483647, -2147483648, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1];
/** What clang 19 does not assemble (of gotol, offsets beyond 16 bits), and what has a spelling of ours: the tests below look at it. */
const OURS = /call pc|call kfunc|_acquire|_release|\.byte|gotol .\d{10}/;

test("the text of every instruction assembles to the same bytes", () => {
	const insns: Buffer[] = [];
	for (let opcode = 0; opcode < 256; opcode++) {
		if (opcode === 0x18) continue;
		for (const [dst, src] of [
			[0, 0],
			[3, 0],
			[0, 2],
			[3, 2],
			[10, 9],
		] as const)
			for (const off of OFFS) for (const imm of IMMS) insns.push(insn(opcode, { dst, src, off, imm }));
	}
	const lines = disassemble(Buffer.concat(insns));
	expect(lines.length).toBe(insns.length);
	const known = lines.flatMap((text, i) => (OURS.test(text) ? [] : [{ text, bytes: insns[i]! }]));
	const again = Buffer.from(assemble(known.map(({ text }) => text)));
	const wrong = known.filter(({ bytes }, i) => !again.subarray(i * 8, i * 8 + 8).equals(bytes));
	expect(wrong.slice(0, 5).map(({ text, bytes }) => `${text} (${bytes.toString("hex")})`)).toEqual([]);
	const opcodes = new Set(known.map(({ bytes }) => bytes[0]));
	expect(opcodes.size).toBe(KNOWN_OPCODES);
});

/**
 * RFC 9669, appendix A, without the 64-bit immediate, and with may_goto and callx: 6 loads from packets, 7 loads, 8 stores, 2 atomics,
 * 12 operations and 11 conditions by source and width, 2 negations, 3 byte swaps, 6 transfers of control.
 */
const KNOWN_OPCODES = 6 + 7 + 8 + 2 + 12 * 4 + 11 * 4 + 2 + 3 + 6;

test("64-bit immediates take two slots and one line", () => {
	const wide = (src: number, low: number, high: number) =>
		Buffer.concat([insn(0x18, { dst: 1, src, imm: low }), insn(0, { imm: high })]);
	const values = [wide(0, 0x12345678, 0x7abcdef0), wide(0, -1, -1), wide(0, -1, 0), wide(0, 0, -2147483648)];
	const lines = disassemble(Buffer.concat(values));
	expect(lines).toEqual([
		`r1 = ${0x7abcdef012345678n} ll`,
		"r1 = -1 ll",
		"r1 = 4294967295 ll",
		"r1 = -9223372036854775808 ll",
	]);
	expect(Buffer.from(assemble(lines))).toEqual(Buffer.concat(values));
	const pseudo = Buffer.concat([1, 2, 3, 4, 5, 6].map((src) => wide(src, 7, src === 2 || src === 6 ? 9 : 0)));
	expect(disassemble(pseudo)).toEqual([
		"r1 = map_fd 7 ll",
		"r1 = map_value 7 + 9 ll",
		"r1 = btf_id 7 ll",
		"r1 = func 7 ll",
		"r1 = map_idx 7 ll",
		"r1 = map_idx_value 7 + 9 ll",
	]);
});

test("calls of other programs and of kernel functions are told from helpers", () => {
	const calls = [
		insn(0x85, { imm: 5 }),
		insn(0x85, { src: 1, imm: -3 }),
		insn(0x85, { src: 2, imm: 4711 }),
		insn(0x85, { src: 2, imm: 4711, off: 3 }),
		insn(0xdb, { dst: 1, src: 2, off: 8, imm: 0x100 }),
		insn(0xc3, { dst: 1, src: 2, off: 8, imm: 0x110 }),
	];
	expect(disassemble(Buffer.concat(calls))).toEqual([
		"call 5",
		"call pc-3",
		"call kfunc 4711",
		"call kfunc 4711 of btf 3",
		"r1 = load_acquire((u64 *)(r2 + 8))",
		"store_release((u32 *)(r1 + 8), w2)",
	]);
});

test("bytes that are no instruction stay bytes: reserved fields, unknown opcodes, half a 64-bit immediate, a torn end", () => {
	const odd = [insn(0x95, { imm: 1 }), insn(0xff, {}), insn(0x07, { dst: 11 }), insn(0x18, { dst: 1 })];
	const lines = disassemble(Buffer.concat([...odd, Buffer.from([1, 2, 3])]));
	expect(lines.every((line) => line.startsWith(".byte "))).toBe(true);
	expect(lines).toHaveLength(5);
	expect(lines[4]).toBe(".byte 0x01, 0x02, 0x03");
});

test("a compiled program, disassembled and assembled, is the same program", () => {
	const object = sampleInput().files.get("obj/sample.bpf.o")!;
	const [program] = readElf(object).programs;
	const lines = disassemble(program!.insns);
	expect(lines.at(-1)).toBe("exit");
	expect(Buffer.from(assemble(lines))).toEqual(Buffer.from(program!.insns));
});
