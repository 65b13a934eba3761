// What the compiler itself says it will compile: its list of the files read, and the text after preprocessing. Refuses
// files that are not tagged, and text for the assembler that could do more than kfn's own headers need.

import { posix } from "node:path";
import { CliError } from "../errors.ts";
import { forbidden, readTokens, type Token } from "./source-lexer.ts";

/**
 * The templates of inline assembly that are allowed, after C has read their escapes: none (a barrier: KFN_OPAQUE), an
 * immediate load (KFN_CONFIG), and a note of requirements (KFN_NOTE). Everything else is refused, not only .incbin:
 * the assembler has macros, and a list of its bad directives would be wrong one day.
 */
const TEMPLATES = [
	/^$/,
	/^%0 = %1 ll$/,
	new RegExp(
		[
			/^\.pushsection \.note\.kfn,"",@note\n/,
			/\s*\.balign 4\n\s*\.long 4\n\s*\.long 2f - 1f\n\s*\.long 1\n\s*\.asciz "kfn"\n/,
			/\s*1:\s*\.ascii "(?:[\w:=.<>/ -]|\\n)*"\n\s*\.balign 4\n\s*2:\n\s*\.popsection\n$/,
		]
			.map(({ source }) => source)
			.join(""),
	),
];
const ASM = /^(asm|__asm|__asm__)$/;
const QUALIFIER = /^(volatile|__volatile|__volatile__)$/;

/**
 * alias, weakref and ifunc give a symbol any name, line feeds included, and an operand of inline assembly is printed
 * into the assembler's text. So attributes are those that name nothing.
 */
const ATTRIBUTES = new Set([
	...["section", "used", "unused", "always_inline", "noinline", "aligned", "packed", "may_alias", "weak"],
	...["fallthrough", "noreturn", "const", "pure", "preserve_access_index", "btf_decl_tag", "btf_type_tag"],
]);
const ATTRIBUTE = /^__attribute(__)?$/;

/** Demands that the make rule of `-M` names only files that are tagged. CLI_SOURCE_FORBIDDEN. */
export function checkFilesRead(rule: string, tagged: ReadonlySet<string>): void {
	const files = rule.slice(rule.indexOf(":") + 1).replaceAll("\\\n", " ");
	for (const file of files.split(/\s+/)) {
		if (file !== "" && !tagged.has(posix.normalize(file))) throw untagged(file);
	}
}

/** Demands that preprocessed text comes from tagged files and tells the assembler nothing. CLI_SOURCE_FORBIDDEN. */
export function checkCompiledText(unit: string, text: Uint8Array, tagged: ReadonlySet<string>): void {
	const tokens = withPlaces(unit, readTokens(unit, text), tagged);
	for (const [at, token] of tokens.entries()) {
		if (token.kind !== "word") {
			// [[…]] is an attribute, too; no expression or declarator of C has two in a row.
			if (token.text === "[" && tokens[at + 1]?.text === "[") throw refused(token, "an attribute in [[ ]]");
			continue;
		}
		if (ASM.test(token.text)) checkAsm(tokens, at);
		if (ATTRIBUTE.test(token.text)) checkAttributes(tokens, at);
	}
}

interface PlacedToken extends Token {
	readonly path: string;
}

function refused(token: PlacedToken, what: string): CliError {
	return forbidden(token.path, token.line, what);
}

/** Takes the line markers (`# 7 "src/x.h" 1`) and pragmas out and gives every other token the place that the markers say. */
function withPlaces(unit: string, tokens: readonly Token[], tagged: ReadonlySet<string>): PlacedToken[] {
	const placed: PlacedToken[] = [];
	let path = unit;
	let shift = 0;
	for (let i = 0; i < tokens.length; i++) {
		const token = tokens[i]!;
		if (!token.first || token.text !== "#") {
			placed.push({ ...token, path, line: token.line + shift });
			continue;
		}
		const [kind, file] = [tokens[i + 1], tokens[i + 2]];
		while (tokens[i + 1]?.first === false) i++;
		if (kind?.text === "pragma") continue;
		// A macro may end in a # sign. Whatever follows it must not go unread.
		if (kind?.kind !== "number" || file?.kind !== "string")
			throw forbidden(path, token.line + shift, "a # sign");
		path = posix.normalize(file.text.slice(1, -1));
		shift = Number(kind.text) - token.line - 1;
		if (!tagged.has(path) && !/^<(built-in|command line)>$/.test(path)) throw untagged(path);
	}
	return placed;
}

function untagged(file: string): CliError {
	return new CliError("CLI_SOURCE_FORBIDDEN", `the compiler reads ${file}, which is not tagged`, {
		hint: "do not use this source: it hides from kfn what it includes",
		details: { path: file },
	});
}

function checkAsm(tokens: readonly PlacedToken[], at: number): void {
	const asm = tokens[at]!;
	let next = at + 1;
	while (QUALIFIER.test(tokens[next]?.text ?? "")) next++;
	if (tokens[next++]?.text !== "(") throw refused(asm, "an asm that is not GNU C's");
	let template = "";
	const start = next;
	for (; tokens[next]?.kind === "string"; next++) template += templateText(tokens[next]!);
	if (next === start || !/^[:)]$/.test(tokens[next]?.text ?? ""))
		throw refused(asm, "an asm without a template");
	if (TEMPLATES.some((allowed) => allowed.test(template))) return;
	throw forbidden(
		asm.path,
		asm.line,
		`asm(${JSON.stringify(template.slice(0, 80))})`,
		"write it in C; of assembly only KFN_OPAQUE, KFN_CONFIG and KFN_NOTE are allowed, and no symbol is renamed",
	);
}

/** Only the escapes that a template of kfn has; \x2e and \56 are other spellings of a dot. */
function templateText(token: PlacedToken): string {
	return token.text.slice(1, -1).replaceAll(/\\([\s\S])/g, (_, letter: string) => {
		const meant = { n: "\n", t: "\t", '"': '"', "\\": "\\" }[letter];
		if (meant === undefined) throw refused(token, `the escape \\${letter} in an asm`);
		return meant;
	});
}

function checkAttributes(tokens: readonly PlacedToken[], at: number): void {
	let depth = 0;
	for (let i = at + 1; i < tokens.length; i++) {
		const token = tokens[i]!;
		if (token.text === "(") depth++;
		else if (token.text === ")") depth--;
		else if (depth === 2 && token.text !== "," && !ATTRIBUTES.has(token.text)) {
			throw refused(token, `the attribute ${token.text}`);
		}
		if (depth === 0) return;
	}
}
