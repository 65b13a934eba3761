// What a tagged source may ask of the preprocessor. Refuses every directive and name through which something outside the
// tag (a file, the clock, the compiler, the folder of the build) could decide what is compiled.

import { forbidden, readTokens, type Token } from "./source-lexer.ts";

const DIRECTIVES = new Set([
	"define",
	"undef",
	"include",
	"if",
	"ifdef",
	"ifndef",
	"elif",
	"else",
	"endif",
	"error",
	"pragma",
]);
const PRAGMAS = /^(once|unroll( [0-9]+)?)$/;
const INCLUDE = /^"(?:[A-Za-z0-9_.-]+\/)*[A-Za-z0-9_.-]+"$/;

/** Names that compilers keep for themselves, and that mean the same in all of them. */
const COMMON = new Set([
	...[
		"__asm__",
		"__attribute__",
		"__typeof__",
		"__volatile__",
		"__inline__",
		"__restrict__",
		"__extension__",
	],
	...["__func__", "__VA_ARGS__", "__BYTE_ORDER__", "__ORDER_LITTLE_ENDIAN__", "__ORDER_BIG_ENDIAN__"],
]);
/**
 * __clang__ or __bpf__ would let one tag mean two functions, __DATE__ and __FILE__ are other bytes at each build,
 * __has_include asks the machine: all of them are __X__, all capitals behind an underscore, or a question.
 */
const COMPILERS_OWN = [
	/^__\w*__$/,
	/^_[_A-Z][A-Z0-9_]*$/,
	/^__(has|is|building)_/,
	/^__builtin_(FILE|LINE|COLUMN|FUNCTION|source_location|has_)/,
	/^(_Pragma|__pragma|__declspec|_asm)$/,
];

/** Checks one source and gives what it includes, as written. CLI_SOURCE_FORBIDDEN. */
export function checkSource(path: string, bytes: Uint8Array): string[] {
	const includes: string[] = [];
	for (const line of logicalLines(readTokens(path, bytes))) {
		const [sign, name] = line as [Token, ...Token[]];
		const isDirective = sign.text === "#";
		if (isDirective && name !== undefined) {
			const included = checkDirective(path, name, line.slice(2));
			if (included !== undefined) includes.push(included);
		}
		const mayStringify = isDirective && name?.text === "define";
		for (const token of line.slice(isDirective ? 1 : 0)) {
			if (token.text === "#" && !mayStringify) throw forbidden(path, token.line, "a # inside a line");
			if (token.kind === "word") checkName(path, token);
		}
	}
	return includes;
}

function logicalLines(tokens: readonly Token[]): Token[][] {
	const lines: Token[][] = [];
	for (const token of tokens) {
		if (token.first) lines.push([]);
		lines.at(-1)!.push(token);
	}
	return lines;
}

function checkDirective(path: string, name: Token, operands: readonly Token[]): string | undefined {
	if (!DIRECTIVES.has(name.text)) throw forbidden(path, name.line, `the directive #${name.text}`);
	if (name.text === "pragma") {
		const text = operands.map((operand) => operand.text).join(" ");
		if (!PRAGMAS.test(text)) throw forbidden(path, name.line, `#pragma ${text}`);
	}
	if (name.text !== "include") return undefined;
	const [file] = operands;
	if (operands.length !== 1 || !INCLUDE.test(file!.text)) {
		throw forbidden(path, name.line, "an #include of something else than a relative path in quotes");
	}
	return file!.text.slice(1, -1);
}

function checkName(path: string, { text, line }: Token): void {
	if (COMMON.has(text) || !COMPILERS_OWN.some((own) => own.test(text))) return;
	throw forbidden(path, line, `the name ${text}, which belongs to the compiler`);
}
