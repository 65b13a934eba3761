// The lines by which two texts differ, as a unified diff. Refuses to work on without end: two texts that have little in common
// are told apart as a whole.
import { formatPatch, structuredPatch } from "diff";

export interface TextDiff {
	/** Lines that only the new text has, and those that only the old one has. */
	readonly added: number;
	readonly removed: number;
	/** Unified diff with three lines of context; "" where the texts are equal. */
	readonly patch: string;
}

/** Beyond this many lines that differ, the search for the shortest diff costs more than its reader gains. */
const MOST_EDITS = 4000;

/** Compares line by line; `name` heads the patch. */
export function diffTexts(name: string, before: string, after: string): TextDiff {
	if (before === after) return { added: 0, removed: 0, patch: "" };
	const options = { context: 3, maxEditLength: MOST_EDITS };
	const found = structuredPatch(`a/${name}`, `b/${name}`, before, after, undefined, undefined, options);
	if (found === undefined) return wholeDiff(name, before, after);
	const lines = found.hunks.flatMap((hunk) => hunk.lines);
	const starting = (sign: string) => lines.filter((line) => line.startsWith(sign)).length;
	return { added: starting("+"), removed: starting("-"), patch: withoutRule(formatPatch(found)) };
}

/** Everything goes, everything comes. */
function wholeDiff(name: string, before: string, after: string): TextDiff {
	const [old, now] = [linesOf(before), linesOf(after)];
	const head = [`--- a/${name}`, `+++ b/${name}`, `@@ -1,${old.length} +1,${now.length} @@`];
	const body = [...old.map((line) => `-${line}`), ...now.map((line) => `+${line}`)];
	return { added: now.length, removed: old.length, patch: `${[...head, ...body].join("\n")}\n` };
}

function linesOf(text: string): string[] {
	const lines = text.split("\n");
	if (lines.at(-1) === "") lines.pop();
	return lines;
}

/** The library puts a line of `=` before a patch, which patch(1) skips and a reader need not see. */
function withoutRule(patch: string): string {
	return patch.replace(/^=+\n/, "");
}
