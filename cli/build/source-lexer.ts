// C text as words, literals and signs: translation phases 1 to 3. Refuses what two compilers could read differently,
// so that what is checked here is what any of them compiles.

import { CliError } from "../errors.ts";

export interface Token {
	readonly kind: "word" | "number" | "string" | "char" | "sign";
	readonly text: string;
	/** Where it begins in the author's file, from 1. */
	readonly line: number;
	/** Begins a logical line, and so a directive where it is "#". */
	readonly first: boolean;
}

/** The refusal of a construct, at its place. */
export function forbidden(path: string, line: number, what: string, hint?: string): CliError {
	return new CliError("CLI_SOURCE_FORBIDDEN", `${path}:${line}: ${what}`, {
		hint: hint ?? 'docs/formats/tag.md, "What a source may hold", lists what is allowed',
		details: { path, line },
	});
}

const TRIGRAPH = /\?\?[=/'()!<>-]/;
/** Compilers differ in whether blanks may stand between the backslash and the end of the line; here they may. */
const SPLICE = /\\[ \t]*\n/g;
const TOKEN =
	/(?<blank>[ \t]+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<newline>\n)|(?<word>[A-Za-z_$][\w$]*)|(?<number>\.?[0-9](?:[eEpP][+-]|[\w.])*)|(?<string>"(?:[^"\\\n]|\\[^\n])*")|(?<char>'(?:[^'\\\n]|\\[^\n])*')|(?<sign><:|:>|<%|%>|%:|##|\/(?!\*)|[!#%&()*+,\-.:;<=>?[\]^{|}~])/y;
const DIGRAPHS = new Set(["<:", ":>", "<%", "%>", "%:"]);

/** Reads a source's bytes into tokens, comments left out. CLI_SOURCE_FORBIDDEN. */
export function readTokens(path: string, bytes: Uint8Array): Token[] {
	const source = Buffer.from(bytes).toString("latin1");
	checkText(path, source);
	const { text, lineAt } = withoutSplices(source);
	const tokens: Token[] = [];
	let first = true;
	TOKEN.lastIndex = 0;
	while (TOKEN.lastIndex < text.length) {
		const at = TOKEN.lastIndex;
		const line = lineAt(at);
		const groups = TOKEN.exec(text)?.groups;
		if (groups === undefined) throw forbidden(path, line, whatIs(text.slice(at, at + 2)));
		if (groups["blank"] !== undefined) continue;
		if (groups["newline"] !== undefined) {
			first = true;
			continue;
		}
		const token = { ...tokenOf(groups), line, first };
		checkToken(path, token, text[at - 1] ?? " ");
		tokens.push(token);
		first = false;
	}
	return tokens;
}

function checkText(path: string, source: string): void {
	const lineOf = (index: number): number => source.slice(0, index).split("\n").length;
	const control = /[^\t\n\x20-\x7e\x80-\xff]/.exec(source);
	if (control !== null) throw forbidden(path, lineOf(control.index), "a control character");
	const trigraph = TRIGRAPH.exec(source);
	if (trigraph !== null) throw forbidden(path, lineOf(trigraph.index), `the trigraph ${trigraph[0]}`);
}

/** Phase 2. `lineAt` gives the author's line of an offset; offsets have to be asked for in ascending order. */
function withoutSplices(source: string): { text: string; lineAt: (offset: number) => number } {
	const splices: number[] = [];
	let removed = 0;
	const text = source.replace(SPLICE, (splice, offset: number) => {
		splices.push(offset - removed);
		removed += splice.length;
		return "";
	});
	let line = 1;
	let at = 0;
	let passed = 0;
	return {
		text,
		lineAt(offset) {
			for (; at < offset; at++) if (text[at] === "\n") line++;
			while (passed < splices.length && splices[passed]! <= offset) passed++;
			return line + passed;
		},
	};
}

function tokenOf(groups: Record<string, string | undefined>): Pick<Token, "kind" | "text"> {
	for (const kind of ["word", "number", "string", "char", "sign"] as const) {
		const text = groups[kind];
		if (text !== undefined) return { kind, text };
	}
	throw new Error("a token of no kind");
}

function checkToken(path: string, token: Token, before: string): void {
	const isLiteral = token.kind === "string" || token.kind === "char";
	// R"(…)" has other rules for its end, 1'000 is a number to some: what is joined to a word has no one reading.
	if (isLiteral && /[\w$.]/.test(before)) {
		throw forbidden(path, token.line, "a literal with a prefix, or one joined to a word");
	}
	if (token.kind !== "sign") return;
	if (DIGRAPHS.has(token.text)) throw forbidden(path, token.line, `the digraph ${token.text}`);
	// Pasted names exist only after preprocessing, where no rule on the source would see them.
	if (token.text === "##") throw forbidden(path, token.line, "## (token pasting)", "write the names out");
}

function whatIs(text: string): string {
	if (text === "/*") return "a comment without an end";
	if (text[0] === '"' || text[0] === "'") return `a ${text[0]} without its partner`;
	if (text[0]! > "~") return "a character outside ASCII that stands in no comment and no literal";
	return `the character ${text[0]}`;
}
