// Makes text and values from outside fit to be printed. Refuses to pass on control characters, credentials, and more
// than a screen's owner can have asked for: a registry's answer is a stranger's text.

const MESSAGE_LIMIT = 4096;
const STRING_LIMIT = 64 * 1024;
const TOTAL_LIMIT = 256 * 1024;
const ENTRY_LIMIT = 1000;
const DEPTH_LIMIT = 8;
const CUT = "…";
const SECRET_FIELD = /^(authorization|cookie|set-cookie|passphrase|password|secret|token)$/i;

/** Control characters out, credentials out: text from outside may be printed after this. Tabs and line feeds stay. */
export function printable(text: string): string {
	return (
		text
			.replace(
				/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
				"\ufffd",
			)
			.replace(/kfn_[A-Za-z0-9_-]{43}/g, "kfn_…")
			.replace(/(kfn-ed25519-seed) [A-Za-z0-9+/=]+/g, "$1 …")
			.replace(/\b(bearer) +[A-Za-z0-9._~+/=-]{16,}/gi, "$1 …")
			// From the start of a word only: from every letter of a long one, the search would take the square of its length.
			.replace(/\b(\w+:\/\/)[^\s/@]+@/g, "$1…@")
	);
}

/** Printable, on one line, at most 4096 characters: a registry's text must not look like a line of ours. */
export function oneLine(text: string): string {
	return cut(printable(text).replace(/[\t\n]+/g, " "), MESSAGE_LIMIT);
}

/**
 * A JSON value whose every string and key is printable, whatever was in it.
 *
 * Bounded: 256 Ki characters in all and 64 Ki in one string, 1000 entries in a list or object, 8 levels. What is left out shows as `…`;
 * so do the values of fields that hold secrets by their name.
 */
export function printableValue(value: unknown): unknown {
	return clean(value, { left: TOTAL_LIMIT }, DEPTH_LIMIT);
}

function clean(value: unknown, budget: { left: number }, depth: number): unknown {
	if (typeof value === "string") return spend(value, budget);
	if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
	if (typeof value !== "object") return spend(String(value), budget);
	if (depth === 0 || budget.left <= 0) return CUT;
	if (Array.isArray(value)) return cleanList(value, budget, depth - 1);
	return cleanFields(value, budget, depth - 1);
}

function cleanList(list: readonly unknown[], budget: { left: number }, depth: number): unknown[] {
	const shown: unknown[] = [];
	for (const item of list) {
		if (shown.length === ENTRY_LIMIT || budget.left <= 0)
			return [...shown, `${CUT} ${list.length - shown.length} more`];
		// An entry costs what its comma and brackets cost, so that many empty ones end, too.
		budget.left -= 2;
		shown.push(clean(item, budget, depth));
	}
	return shown;
}

function cleanFields(fields: object, budget: { left: number }, depth: number): Record<string, unknown> {
	const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
	const shown: [string, unknown][] = [];
	for (const [name, value] of entries) {
		if (shown.length === ENTRY_LIMIT || budget.left <= 0) {
			shown.push([CUT, `${entries.length - shown.length} more`]);
			break;
		}
		budget.left -= 2;
		const isSecret = SECRET_FIELD.test(name) && typeof value === "string";
		shown.push([spend(name, budget), isSecret ? CUT : clean(value, budget, depth)]);
	}
	// Not by assignment: a field named __proto__ is a field like any other.
	return Object.fromEntries(shown);
}

/** Cleaned before it is cut, or a cut could leave the first half of a token that no pattern knows any more. */
function spend(text: string, budget: { left: number }): string {
	const kept = cut(printable(text), Math.min(STRING_LIMIT, Math.max(budget.left, 0)));
	budget.left -= kept.length;
	return kept;
}

function cut(text: string, limit: number): string {
	return text.length <= limit ? text : `${text.slice(0, limit)}${CUT}`;
}
