// Replaces values that differ from run to run (digests, times, ports, …) by their names in square brackets. Refuses to hide a word of the message around them.

/** A pattern and what stands in its place; `$1` and so on as in String.replace. Patterns need the `g` flag. */
export interface Mask {
	readonly pattern: RegExp;
	readonly name: string;
}

/** What every session masks, in this order. */
export const MASKS: readonly Mask[] = [
	{ pattern: /\bkfn_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g, name: "[TOKEN]" },
	{ pattern: /\b[0-9a-f]{64}\b/g, name: "[DIGEST]" },
	{ pattern: /\b[0-9a-f]{40}\b/g, name: "[KERNEL KEY]" },
	{ pattern: /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{86}==/g, name: "[SIGNATURE]" },
	{ pattern: /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=/g, name: "[KEY]" },
	{ pattern: /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| UTC|[+-]\d\d:\d\d)?/g, name: "[TIME]" },
	{ pattern: /(127\.0\.0\.1|\[::1\]|localhost):\d{1,5}\b/g, name: "$1:[PORT]" },
	{ pattern: /\b\d+(?:\.\d+)? ?(?:ns|µs|us|ms|s)\b/g, name: "[DURATION]" },
	{ pattern: /\b(pid|process) \d+\b/g, name: "$1 [PID]" },
];

/** Applies literal replacements (longest first), then the session's own masks, then MASKS. */
export function applyMasks(
	text: string,
	literals: Readonly<Record<string, string>> = {},
	extra: readonly Mask[] = [],
): string {
	let masked = text;
	for (const [name, value] of Object.entries(literals).sort(([, a], [, b]) => b.length - a.length)) {
		if (value !== "") masked = masked.replaceAll(value, `[${name}]`);
	}
	for (const mask of [...extra, ...MASKS]) masked = masked.replaceAll(mask.pattern, mask.name);
	return masked;
}
