// Maps and linked programs of real objects: what the manifest says of them, and what a bundle refuses. That the digest is the
// kernel's own tag is shown on a kernel, in host/native/maps.kernel.test.ts.
import { describe, expect, it, test } from "vitest";
import { openBundle } from "./bundle.ts";
import { disassemble } from "./disassembly.ts";
import { readElf } from "./elf.ts";
import { mapRecord } from "./map-rules.ts";
import { codeOf, refusal } from "./testing/refusal.ts";
import { compileObject, sampleBundle } from "./testing/sample.ts";

const LOOKUP = "static void *(*const lookup)(const void *, const void *) = (void *)1;\n";
const map = (members: string, name = "scratch") => `struct { ${members} } ${name} SEC(".maps");\n`;
const ARRAY =
	"int (*type)[2]; int (*max_entries)[0]; unsigned *key; struct { unsigned char bytes[70000]; } *value;";
const USE = "int zero = 0; return lookup(&scratch, &zero) != 0;";
const programOf = (top: string, body = USE) =>
	`#include "kfn/sample.h"\n${LOOKUP}${top}SEC("tc") int f(void *ctx) { ${body} }\n`;

const recordsOf = (source: string) =>
	readElf(compileObject(source)).maps.map((found) => mapRecord("obj/x.bpf.o", found));

describe("a map", () => {
	test("of no entries is one for each CPU; typedefs and structures have their size", () => {
		expect(recordsOf(programOf(map(ARRAY)))).toEqual([
			{ name: "scratch", type: "array", valueSize: 70000, entries: "possible-cpus" },
		]);
		const members = "int (*type)[6]; int (*max_entries)[7]; int (*key_size)[4]; typedef_value *value;";
		expect(recordsOf(programOf(`typedef const volatile long typedef_value[3];\n${map(members)}`))).toEqual([
			{ name: "scratch", type: "percpu-array", valueSize: 24, entries: 7 },
		]);
	});

	it.each([
		["a hash", "BUNDLE_MAP_UNSUPPORTED", ARRAY.replace("[2]", "[1]")],
		["a key of 8 bytes", "BUNDLE_MAP_UNSUPPORTED", ARRAY.replace("unsigned *key", "long *key")],
		["a value of 300 KB", "BUNDLE_MAP_UNSUPPORTED", ARRAY.replace("70000", "300000")],
		["a per-CPU value of 70 KB", "BUNDLE_MAP_UNSUPPORTED", ARRAY.replace("[2]", "[6]")],
		["16 MB and more", "BUNDLE_MAP_UNSUPPORTED", ARRAY.replace("[0]", "[240]")],
		["100,000 entries", "BUNDLE_MAP_UNSUPPORTED", ARRAY.replace("[0]", "[100000]").replace("70000", "1")],
		["no value", "BUNDLE_ELF_INVALID", ARRAY.replace(/ struct.*value;/, "")],
		["a value of no size", "BUNDLE_ELF_INVALID", ARRAY.replace(/ struct.*value;/, " void *value;")],
		["flags", "BUNDLE_ELF_INVALID", `${ARRAY} int (*map_flags)[1024];`],
		["a pin", "BUNDLE_ELF_INVALID", `${ARRAY} int (*pinning)[1];`],
		["the size twice", "BUNDLE_ELF_INVALID", `${ARRAY} int (*value_size)[8];`],
		["a plain number", "BUNDLE_ELF_INVALID", ARRAY.replace("int (*max_entries)[0]", "int max_entries")],
	])("with %s is refused", (_what, code, members) => {
		expect(codeOf(() => recordsOf(programOf(map(members))))).toBe(code);
	});

	test("that is static is refused, as libbpf refuses it", () => {
		const source = programOf(`static ${map(ARRAY)}`);
		expect(codeOf(() => recordsOf(source))).toBe("BUNDLE_ELF_INVALID");
	});
});

describe("a program with subprograms", () => {
	const NOINLINE = "static __attribute__((noinline))";
	const source = programOf(
		`${map(ARRAY)}
static long (*const loop)(unsigned, void *, void *, unsigned long long) = (void *)181;
${NOINLINE} int last(int x) { asm volatile(""); return x ^ 0x51; }
${NOINLINE} int unused(int x) { asm volatile(""); return x ^ 0x99; }
__attribute__((noinline)) int shared(int x) { asm volatile(""); return last(x) ^ 0x53; }
static long step(unsigned i, void *context) { return last(i) ^ 0x52; }
int kept(int x) { return unused(x); }
`,
		"int zero = 0; loop(2, step, 0, 0); return shared(1) + last(2) + (lookup(&scratch, &zero) != 0);",
	);
	const [program] = readElf(compileObject(source)).programs;
	const lines = disassemble(program!.insns);

	test("has each behind it once, in the order in which it is met, and none that it does not reach", () => {
		const marks = lines.flatMap((line) => /^[rw]\d \^= (\d+)$/.exec(line)?.[1] ?? []);
		// In the program the callback comes first: behind it stands what it calls, and shared finds that there.
		expect(marks.map(Number)).toEqual([0x52, 0x51, 0x53]);
		expect(lines.filter((line) => line === "exit").length).toBe(4);
	});

	test("calls by distance, and holds no map's place", () => {
		const starts = new Set(lines.flatMap((line, i) => (line === "exit" ? [i + 1] : [])));
		// A line of an immediate load is two slots.
		const slots = lines.flatMap((line, i) => (line.endsWith(" ll") ? [i, i] : [i]));
		const targets = lines.flatMap((line, i) => {
			const at = slots.indexOf(i);
			const distance = /(?:call pc|func )\+?(-?\d+)/.exec(line)?.[1];
			return distance === undefined ? [] : [slots[at + 1 + Number(distance)]!];
		});
		expect(targets.length).toBe(5);
		for (const target of targets) expect(starts).toContain(target);
		expect(lines.filter((line) => line.includes("map_fd"))).toEqual([expect.stringMatching(/map_fd 0 ll$/)]);
	});
});

test("rings, wraps and a subprogram that no symbol covers are refused, not followed", () => {
	const object = Buffer.from(
		compileObject(
			programOf(
				`${map(ARRAY)}static __attribute__((noinline)) int other(int x) { asm volatile(""); return x; }\n`,
				`int zero = 0; return other(lookup(&scratch, &zero) != 0);`,
			),
		),
	);
	const headers = Number(object.readBigUInt64LE(40));
	const { sections } = readElf(object);
	const dataOf = (name: string) =>
		Number(object.readBigUInt64LE(headers + sections.findIndex((s) => s.name === name) * 64 + 24));
	const call = object.indexOf(Buffer.from([0x85, 0x10, 0, 0]), dataOf("tc"));
	const changed = (at: number, value: number): Buffer => {
		const copy = Buffer.from(object);
		copy.writeInt32LE(value, at);
		return copy;
	};
	for (const distance of [5, -7, 0x7fffffff, -0x80000000])
		expect(codeOf(() => readElf(changed(call + 4, distance)))).toBe("BUNDLE_ELF_INVALID");
	const btf = dataOf(".BTF");
	for (let at = btf; at < btf + 400; at += 4) {
		for (const value of [0, 1, 0x7fffffff, 0x0e000001]) {
			try {
				readElf(changed(at, value)).maps.map((found) => mapRecord("x", found));
			} catch (error) {
				expect(String(error)).toMatch(/^BundleError|BUNDLE_|the object/);
			}
		}
	}
});

describe("a bundle", () => {
	const withMap = (text: string) =>
		text
			.replace('SEC("flow_dissector")', `${LOOKUP}${map(ARRAY)}SEC("flow_dissector")`)
			.replace(/return ([^;]+);/, "int zero = 0; return lookup(&scratch, &zero) ? 0 : 2;");

	test("says its maps in the manifest, once written and once read", async () => {
		const { archive } = sampleBundle({ source: withMap });
		const { manifest } = await openBundle(archive);
		expect(manifest.variants[0]!.maps).toEqual([
			{ name: "scratch", type: "array", valueSize: 70000, entries: "possible-cpus" },
		]);
		expect(manifest.variants[0]!.programs[0]!.insnsDigest).toMatch(/^[0-9a-f]{64}$/);
	});

	it.each([
		["an idle map", (text: string) => `${text}${map(ARRAY)}`, /no program uses the map "scratch"/],
		[
			"data",
			(text: string) => text.replace(/return ([^;]+);/, "static volatile int n; return n++;"),
			/data in \.bss/,
		],
		[
			"an extern",
			(text: string) =>
				text
					.replace(
						'SEC("flow_dissector")',
						'extern int host_decides(int) SEC(".ksyms");\nSEC("flow_dissector")',
					)
					.replace(/return ([^;]+);/, "return host_decides(1);"),
			/host_decides/,
		],
	])("with %s is refused", (_what, source, message) => {
		const error = refusal(() => sampleBundle({ source }));
		expect([error.code, error.message]).toEqual(["BUNDLE_MAP_UNSUPPORTED", expect.stringMatching(message)]);
	});
});
