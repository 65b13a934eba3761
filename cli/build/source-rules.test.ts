// What a tagged source may hold, and each thing that it may not; the list of the compiler's names against the compiler.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CliError } from "../errors.ts";
import { FLAGS } from "./compile.ts";
import { checkSource } from "./source-rules.ts";

const check = (text: string): string[] => checkSource("src/x.c", Buffer.from(text, "utf8"));

function refusalOf(text: string): string {
	try {
		check(text);
	} catch (error) {
		if (error instanceof CliError && error.code === "CLI_SOURCE_FORBIDDEN") return error.message;
		throw error;
	}
	return "nothing";
}

describe("allowed", () => {
	test("every source and header of our own packages", () => {
		const packages = join(import.meta.dirname, "../../packages");
		const files = readdirSync(packages, { recursive: true, encoding: "utf8" }).filter((name) =>
			/\.[ch]$/.test(name),
		);
		expect(files.length).toBeGreaterThan(20);
		for (const file of files) checkSource(file, readFileSync(join(packages, file)));
	});

	test("includes of relative paths, which it gives as written", () => {
		const text = '#include "kfn/int.h" // as before\n # /* */ include "../a.h"\n#\n';
		expect(check(text)).toEqual(["kfn/int.h", "../a.h"]);
	});

	test("an include that no condition takes counts: the tag is not the compiler's to decide", () => {
		expect(check('#if 0\n#include "old.h"\n#endif\n')).toEqual(["old.h"]);
	});

	test.each([
		"#define TEXT(x) #x\n",
		"#pragma once\n#pragma unroll\n",
		"#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__\n#endif\n",
		"#define LONG \\\n\t1\n",
		'/* \u00fc: trigraph-free, any bytes */ const char *x = "\u00fc // no comment \\" ";\n',
		"int x = 'a' + '\\'' + 0x1e+3;\n",
		'_Static_assert(sizeof(__u32) == 4, "");\n',
	])("%j", (text) => {
		expect(check(text)).toEqual([]);
	});
});

describe("refused", () => {
	test.each([
		['??=include "x"\n', "1: the trigraph ??="],
		["/* ??/\n*/", "1: the trigraph ??/"],
		["%:define X\n", "1: the digraph %:"],
		["int a<:1:>;\n", "1: the digraph <:"],
		["\n\nint x;\r\n", "3: a control character"],
		["int x\0;\n", "1: a control character"],
		["\ufeffint x;\n", "1: a character outside ASCII"],
		['asm\u00a0("");\n', "1: a character outside ASCII"],
		["int \\u0061sm;\n", "1: the character \\"],
		["#error don't\n", "1: a ' without its partner"],
		["int x; /* no end\n", "1: a comment without an end"],
		['char *s = "no end\n', '1: a " without its partner'],
		["int x = 1'000'0;\n", "1: a literal with a prefix"],
		['void *s = L"x";\n', "1: a literal with a prefix"],
		["int x = 1 @ 2;\n", "1: the character @"],
		["int a = 1;\n#define X(a) a ## a\n", "2: ## (token pasting)"],
		["int a; # define X\n", "1: a # inside a line"],
		["#warning x\n", "1: the directive #warning"],
		['#ident "x"\n', "1: the directive #ident"],
		['#pragma clang diagnostic ignored "-Wall"\n', "1: #pragma clang diagnostic"],
		['#pragma comment(lib, "x")\n', "1: #pragma comment"],
		["#pragma once x\n", "1: #pragma once x"],
		["#include <kfn/int.h>\n", "1: an #include of something else"],
		['#include "a" "b"\n', "1: an #include of something else"],
		["#include\n", "1: an #include of something else"],
		['#include "a\\\\b"\n', "1: an #include of something else"],
		["int\\\n\\\n x;\n__FI\\\nLE__;\n", "4: the name __FILE__"],
		["char *s = __DATE__;\n", "1: the name __DATE__"],
		["char *s = __TIMESTAMP__;\n", "1: the name __TIMESTAMP__"],
		["int x = __COUNTER__;\n", "1: the name __COUNTER__"],
		["char *s = __builtin_FILE();\n", "1: the name __builtin_FILE"],
		["#if __has_builtin(x)\n#endif\n", "1: the name __has_builtin"],
		["#define __VENDOR_NIC 1\n", "1: the name __VENDOR_NIC"],
	])("%j", (text, says) => {
		expect(refusalOf(text)).toContain(`src/x.c:${says}`);
	});
});

test("every name that clang predefines is refused, but for the byte order", () => {
	const answer = execFileSync("clang-19", [...FLAGS, "-dM", "-E", "-x", "c", "/dev/null"], {
		encoding: "utf8",
	});
	const names = [...answer.matchAll(/^#define (\w+)/gm)].map(([, name]) => name!);
	expect(names.length).toBeGreaterThan(200);
	const allowed = names.filter((name) => refusalOf(`int x = ${name};\n`) === "nothing");
	expect(allowed.sort()).toEqual(["__BYTE_ORDER__", "__ORDER_BIG_ENDIAN__", "__ORDER_LITTLE_ENDIAN__"]);
});
