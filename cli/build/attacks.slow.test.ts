// A hostile author's ways to get bytes that no tag covers into an object. Each works with clang alone, is refused by the
// rules on sources, and, where it reads a file, finds nothing in the jail even when nobody checks the source. About ten seconds.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SAMPLE_FLAGS } from "#bundle/testing/sample.ts";
import { compile, compileUnits, findCompiler } from "./compile.ts";
import { checkCompiledText, checkFilesRead } from "./compiled-text.ts";
import { openWorkplace, type Workplace } from "./jail.ts";
import { openDisk, SECRET, sourcesOf, UNIT } from "./testing/outside.ts";

const disk = openDisk();
afterAll(() => disk[Symbol.dispose]());
const compiler = await findCompiler();
const { outside, climbing } = disk;

interface Attack {
	readonly name: string;
	readonly text: string;
	readonly more?: Readonly<Record<string, string>>;
	/** Part of the refusal. */
	readonly says: string;
}

const ASM = `__asm__(".section .rodata\\n.incbin \\"${outside}\\"\\n.previous");`;
const NAMED = `0 ll\\n.section .rodata\\n.incbin \\"${outside}\\"\\n.previous\\nr0 = 0`;
const READERS: Attack[] = [
	{ name: ".incbin at file scope", text: ASM, says: "asm(" },
	{
		name: ".incbin in a function",
		text: `int f(void) { asm volatile(".pushsection .rodata; .incbin \\"${outside}\\"; .popsection" ::: "memory"); return 0; }`,
		says: "asm(",
	},
	{
		name: ".incbin after an operand",
		text: `int f(void) { long v; __asm__("%0 = %1 ll\\n.pushsection .rodata\\n.incbin \\"${outside}\\"\\n.popsection" : "=r"(v) : "i"(1)); return v; }`,
		says: "asm(",
	},
	{ name: ".include", text: `__asm__(".include \\"${outside}.s\\"");`, says: "asm(" },
	{
		name: ".incbin with its dot as an escape",
		text: ASM.replace(".incbin", "\\x2eincbin"),
		says: "the escape \\x",
	},
	{
		name: ".incbin in pieces, from a macro in a header",
		text: '#include "m.h"\nREAD(cbin)',
		more: {
			"src/m.h": `#define Q(x) #x\n#define READ(b) __asm(".section .rodata\\n.in" Q(b) " \\"${outside}\\"\\n.previous");`,
		},
		says: "src/x.bpf.c:2: asm(",
	},
	{
		name: "asm over two lines",
		text: ASM.replace("__asm__", "__as\\\nm__"),
		says: "src/x.bpf.c:1: asm(",
	},
	{
		name: "an assembler macro that builds the directive",
		text: `__asm__(".macro m a\\n.in\\\\a \\"${outside}\\"\\n.endm\\n.section .rodata\\nm cbin\\n.previous");`,
		says: "asm(",
	},
	{
		name: ".incbin in what looks like a note of requirements",
		text: `__asm__(".pushsection .note.kfn,\\"\\",@note\\n.balign 4\\n.long 4\\n.long 2f - 1f\\n.long 1\\n.asciz \\"kfn\\"\\n1:.ascii \\"x\\"\\n.incbin \\"${outside}\\"\\n.balign 4\\n2:\\n.popsection\\n");`,
		says: "asm(",
	},
	{
		name: "a symbol whose name holds directives, printed into an allowed asm",
		text: `static int g(void) __attribute__((weakref("${NAMED}")));\nlong f(void) { long v; __asm__("%0 = %1 ll" : "=r"(v) : "i"(&g)); return v; }`,
		says: "src/x.bpf.c:1: the attribute weakref",
	},
	{
		name: "a symbol renamed to directives, printed into an allowed asm",
		text: `extern int g(void) __asm__("${NAMED}");\nlong f(void) { long v; __asm__("%0 = %1 ll" : "=r"(v) : "i"(&g)); return v; }`,
		says: "src/x.bpf.c:1: asm(",
	},
	{
		name: "#include of an absolute path",
		text: `#include "${outside}.h"`,
		says: "an #include of something else",
	},
	{ name: "#include out of the package", text: `#include "${climbing}.h"`, says: "which no source" },
	{
		name: "#include of a computed path",
		text: `#define FILE "${outside}.h"\n#include FILE`,
		says: "x.bpf.c:2: an #include of something else",
	},
	{
		name: "#include_next",
		text: `#include_next "${outside}.h"`,
		says: "the directive #include_next",
	},
	{ name: "#import", text: `#import "${outside}.h"`, says: "the directive #import" },
	{
		name: "#include behind a digraph",
		text: `%:include "${outside}.h"`,
		says: "the digraph %:",
	},
	{
		name: "#include behind a raw string that hides it from who does not know them",
		text: `const char *x = R"(\\")" "/*";\n#include "${outside}.h"\nconst char *y = "*/";`,
		says: "x.bpf.c:1: a literal with a prefix",
	},
	{
		name: "#embed",
		text: `const char x[] = {\n#embed "${outside}"\n};`,
		says: "x.bpf.c:2: the directive #embed",
	},
	{
		name: "#embed over two lines, with a comment in between",
		text: `const char x[] = {\n/* */ # /*\n*/ em\\\nbed "${outside}"\n};`,
		says: "the directive #embed",
	},
];

const YES = `const char x[] = "${SECRET}";`;
const SWITCHES: Attack[] = [
	{
		name: "__has_include as a switch",
		text: `#if __has_include("${outside}.h")\n${YES}\n#endif`,
		says: "the name __has_include",
	},
	{
		name: "__has_embed as a switch",
		text: `#if __has_embed("${outside}")\n${YES}\n#endif`,
		says: "the name __has_embed",
	},
	{
		name: "the compiler as a switch",
		text: `#ifdef __clang__\n${YES}\n#endif`,
		says: "the name __clang__",
	},
	{
		name: "the target as a switch: a device would compile another function under this tag",
		text: `#ifdef __bpf__\n${YES}\n#endif`,
		says: "the name __bpf__",
	},
	{
		name: "the optimisation as a switch",
		text: `#ifdef __OPTIMIZE__\n${YES}\n#endif`,
		says: "the name __OPTIMIZE__",
	},
	{
		name: "a pasted name as a switch",
		text: `#define P(a, b) a##b\n#if P(__bp, f__)\n${YES}\n#endif`,
		says: "x.bpf.c:1: ## (token pasting)",
	},
];

const NAMES: Attack[] = [
	{
		name: "#line writes a path into the BTF",
		text: `#line 1 "/${SECRET}"\nint f(void) { return 0; }`,
		says: "the directive #line",
	},
	{
		name: "a line marker writes a path into the BTF",
		text: `# 1 "/${SECRET}"\nint f(void) { return 0; }`,
		says: "the directive #1",
	},
	{
		name: "a symbol renamed by asm",
		text: `int f(void) __asm__("${SECRET}");\nint f(void) { return 0; }`,
		says: "asm(",
	},
	{
		name: "a symbol renamed by a pragma",
		text: `#pragma redefine_extname f ${SECRET}\nint f(void);\nint f(void) { return 0; }`,
		says: "#pragma redefine_extname",
	},
	{
		name: "attributes by _Pragma",
		text: `_Pragma("clang attribute push(__attribute__((section(\\"${SECRET}\\"))), apply_to = function)")\nint f(void) { return 0; }\n_Pragma("clang attribute pop")`,
		says: "the name _Pragma",
	},
	{
		name: "an alias in [[ ]]",
		text: `int f(void) { return 0; }\n[[gnu::alias("f")]] int ${SECRET}(void);`,
		says: "an attribute in [[ ]]",
	},
];

describe.each([...READERS, ...SWITCHES, ...NAMES])("$name", ({ text, more, says }) => {
	test("works with clang alone", () => {
		disk.lay(sourcesOf(text, more));
		expect(disk.compileUnchecked(SAMPLE_FLAGS).includes(SECRET)).toBe(true);
	});

	test("is refused by the rules on sources", async () => {
		const refusal = compileUnits(compiler, SAMPLE_FLAGS, [UNIT], sourcesOf(text, more), "rules");
		const code = says.startsWith("which no") ? "CLI_SOURCE_UNTAGGED" : "CLI_SOURCE_FORBIDDEN";
		await expect(refusal).rejects.toMatchObject({ code, message: expect.stringContaining(says) });
	});
});

describe("in the jail alone, with no rule on sources, clang finds no file for", () => {
	const unitOf = (attack: Attack): string => `src/${READERS.indexOf(attack)}.bpf.c`;
	let jail: Workplace;
	beforeAll(async () => {
		const units = READERS.map((attack) => [unitOf(attack), Buffer.from(attack.text)] as const);
		const headers = READERS.flatMap(({ more }) => [...sourcesOf("", more)]);
		jail = await openWorkplace(compiler.path, new Map([...headers, ...units]), "jail");
	});
	afterAll(() => jail[Symbol.asyncDispose]());

	test.each(READERS)("$name", async (attack) => {
		await expect(compile(jail, SAMPLE_FLAGS, unitOf(attack))).rejects.toMatchObject({
			code: "CLI_COMPILE_FAILED",
			details: { output: expect.stringMatching(/not found|Could not find/) },
		});
	});

	test("while a source that reads nothing compiles", async () => {
		expect((await compile(jail, SAMPLE_FLAGS, UNIT.source)).byteLength).toBeGreaterThan(100);
	});
});

describe.each(["#line 1", "# 1"])(
	"a line of a file outside, named by %s, which clang copies into the .BTF",
	(directive) => {
		const text = `${directive} "${outside}"\nint f(void) { return 0; }`;

		test("gets there with clang alone", () => {
			disk.lay(sourcesOf(text));
			expect(disk.compileUnchecked(SAMPLE_FLAGS).includes(SECRET)).toBe(true);
		});

		test("is refused by the rules on sources", async () => {
			const refusal = compileUnits(compiler, SAMPLE_FLAGS, [UNIT], sourcesOf(text), "rules");
			await expect(refusal).rejects.toMatchObject({ code: "CLI_SOURCE_FORBIDDEN" });
		});

		test("is not there in the jail alone", async () => {
			await using jail = await openWorkplace(compiler.path, sourcesOf(text), "jail");
			const object = Buffer.from(await compile(jail, SAMPLE_FLAGS, UNIT.source));
			expect(object.includes(outside)).toBe(true);
			expect(object.includes(SECRET)).toBe(false);
		});
	},
);

describe("a file that the rules on sources overlooked", () => {
	const tagged = new Set([UNIT.source]);

	test.each([
		["#include", `#include "${outside}.h"`],
		["#include_next", `#include_next "${outside}.h"`],
		["#embed", `const char x[] = {\n#embed "${outside}"\n};`],
		["a computed #include", `#define FILE "${climbing}.h"\n#include FILE`],
	])("by %s is in the list of files that the compiler reads", (_what, text) => {
		disk.lay(sourcesOf(text));
		expect(() => checkFilesRead(disk.ask([...SAMPLE_FLAGS, "-M", UNIT.source]), tagged)).toThrow(
			/the compiler reads .*secret.*, which is not tagged/,
		);
	});

	test("shows in the text after preprocessing", () => {
		disk.lay(sourcesOf(`#include "${climbing}.h"\nint f(void) { return 0; }`));
		const text = Buffer.from(disk.ask([...SAMPLE_FLAGS, "-E", UNIT.source]));
		expect(() => checkCompiledText(UNIT.source, text, tagged)).toThrow(/secret\.h, which is not tagged/);
	});
});

describe("a unit that is not C", () => {
	const assembly = `.section .rodata\n.incbin "${outside}"\n`;

	test.each(["src/x.s", "src/x.S"])("%s works with clang alone, and is refused", async (source) => {
		disk.lay(new Map([[source, Buffer.from(assembly)]]));
		expect(disk.compileUnchecked(SAMPLE_FLAGS, source).includes(SECRET)).toBe(true);
		const sources = new Map([[source, Buffer.from(assembly)]]);
		const refusal = compileUnits(compiler, SAMPLE_FLAGS, [{ ...UNIT, source }], sources, "rules");
		await expect(refusal).rejects.toMatchObject({ code: "CLI_SOURCE_FORBIDDEN" });
	});
});
