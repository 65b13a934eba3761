// Vector files: what a line may say, and every way to say it wrong.
import { describe, expect, it } from "vitest";
import { LIMITS } from "./limits.ts";
import { codeOf, refusal } from "./testing/refusal.ts";
import { checkVectorFits, parseVectors } from "./vectors.ts";

const GOOD = { name: "ipv4-tcp", why: "RFC 791, 3.1", program: "p", data: "00".repeat(14), retval: 0 };
const bytes = (...lines: readonly unknown[]): Buffer =>
	Buffer.from(lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join(""));

describe("vectors", () => {
	it("come with their bytes; flags default to 0 and out to nothing", () => {
		const [one, two] = parseVectors(bytes(GOOD, { ...GOOD, name: "b", flags: 1, retval: 2, out: "ff01" }));
		expect(one).toEqual({ ...GOOD, data: Buffer.alloc(14), flags: 0 });
		expect(two).toMatchObject({ flags: 1, retval: 2, out: Buffer.from([0xff, 1]) });
	});

	it("of a sched_cls program carry fields of its context; of others they do not", () => {
		const line = { ...GOOD, ctx: { gso_size: 1000, cb: [1, 2, 3, 4, 5] }, ctxOut: { gso_segs: 0, mark: 7 } };
		const [vector] = parseVectors(bytes(line));
		expect([vector!.ctx, vector!.ctxOut]).toEqual([line.ctx, line.ctxOut]);
		const fits = (type: string, over: object = {}) =>
			checkVectorFits({ ...vector!, ...over }, new Map([["p", type]]));
		fits("sched_cls");
		const plain = { ctx: undefined, ctxOut: undefined };
		fits("xdp", { ...plain, data: Buffer.alloc(65536), out: Buffer.alloc(1) });
		for (const [type, over] of [
			["flow_dissector", {}],
			["xdp", {}],
			["xdp", { ...plain, flags: 1 }],
			["sched_cls", { flags: 1 }],
			["flow_dissector", { ...plain, data: Buffer.alloc(16385) }],
			["flow_dissector", { ...plain, out: Buffer.alloc(14) }],
		] as const)
			expect(codeOf(() => fits(type, over))).toBe("BUNDLE_VECTORS_INVALID");
	});

	it("may be written with blanks and in any order", () => {
		const line =
			'{ "retval": 0, "data": "00000000000000000000000000000800", "program": "p", "why": "a \\"b\\": c", "name": "x" }';
		expect(parseVectors(bytes(line))[0]?.why).toBe('a "b": c');
	});

	it.each([
		["no line feed at the end", Buffer.from(JSON.stringify(GOOD))],
		["nothing at all", Buffer.alloc(0)],
		["an empty line", bytes(GOOD, "")],
		["a comment", bytes("# packets", GOOD)],
		["an array", bytes([GOOD])],
		["a field twice", bytes(JSON.stringify(GOOD).replace("{", '{"name":"other",'))],
		["a field twice with an escape", bytes(JSON.stringify(GOOD).replace("{", '{"n\\u0061me":"other",'))],
		["an unknown field", bytes({ ...GOOD, expect: "x" })],
		["no reason", bytes({ ...GOOD, why: undefined })],
		["an empty reason", bytes({ ...GOOD, why: "" })],
		["a terminal escape", bytes({ ...GOOD, why: "\x1b[2J" })],
		["upper-case hex", bytes({ ...GOOD, data: "FF".repeat(14) })],
		["half a byte", bytes({ ...GOOD, data: `${"00".repeat(14)}0` })],
		["less than an Ethernet header", bytes({ ...GOOD, data: "00".repeat(13) })],
		["more than 64 KiB", bytes({ ...GOOD, data: "00".repeat(64 * 1024 + 1) })],
		["a context of no fields", bytes({ ...GOOD, ctx: {} })],
		["a context field that the kernel lets nobody set", bytes({ ...GOOD, ctx: { len: 14 } })],
		["a cb of four numbers", bytes({ ...GOOD, ctx: { cb: [1, 2, 3, 4] } })],
		["a context field beyond 32 bits", bytes({ ...GOOD, ctx: { mark: 2 ** 32 } })],
		["a gso_size that does not come back", bytes({ ...GOOD, ctxOut: { gso_size: 1 } })],
		[
			"a context field twice",
			bytes(JSON.stringify({ ...GOOD, ctx: { mark: 1 } }).replace('"mark"', '"mark":2,"mark"')),
		],
		["a negative answer", bytes({ ...GOOD, retval: -1 })],
		["flags beyond 32 bits", bytes({ ...GOOD, flags: 2 ** 32 })],
		["no bytes that are compared", bytes({ ...GOOD, out: "" })],
		["a name twice", bytes(GOOD, GOOD)],
		["bytes that are not UTF-8", Buffer.concat([Buffer.from([0xff]), bytes(GOOD)])],
	])("with %s are refused", (_what, file) => {
		expect(codeOf(() => parseVectors(file))).toBe("BUNDLE_VECTORS_INVALID");
	});

	it("say the file and the line of what is wrong", () => {
		const error = refusal(() =>
			parseVectors(bytes(GOOD, { ...GOOD, name: "b", flags: "x" }), "vectors/a.jsonl"),
		);
		expect(error.message).toMatch(/^vectors\/a\.jsonl:2 \/flags: /);
	});

	it("are at most 4096", () => {
		const many = Array.from({ length: LIMITS.vectors + 1 }, (_, i) => ({ ...GOOD, name: `v${i}` }));
		expect(parseVectors(bytes(...many.slice(1)))).toHaveLength(LIMITS.vectors);
		expect(codeOf(() => parseVectors(bytes(...many)))).toBe("BUNDLE_VECTORS_INVALID");
	});
});
