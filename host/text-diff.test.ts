// Unified diffs: what patch(1) makes of them is the new text, also where two texts have nothing in common.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { diffTexts } from "./text-diff.ts";

function patched(before: string, patch: string): string {
	const folder = mkdtempSync(join(tmpdir(), "kfn-patch-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	writeFileSync(join(folder, "f"), before);
	execFileSync("patch", ["-s", "f"], { cwd: folder, input: patch });
	return readFileSync(join(folder, "f"), "utf8");
}

const lines = (count: number, word: string) =>
	Array.from({ length: count }, (_, i) => `${word} ${i}\n`).join("");

test.each<[string, string, string]>([
	["one line", "a\nb\nc\n", "a\nB\nc\n"],
	["everything new", "", "a\nb\n"],
	["no line feed at the end", "a\nb", "a\nb\nc"],
	["two far places", `x\n${lines(50, "same")}y\n`, `X\n${lines(50, "same")}Y\n`],
	["nothing in common, and long", lines(5000, "old"), lines(5000, "new")],
])("%s", (_what, before, after) => {
	expect(patched(before, diffTexts("f", before, after).patch)).toBe(after);
});

test("lines are counted, and equal texts have no diff", () => {
	expect(diffTexts("f", "a\nb\nc\n", "a\nB\nc\nd\n")).toMatchObject({ added: 2, removed: 1 });
	expect(diffTexts("f", "a\n", "a\n")).toEqual({ added: 0, removed: 0, patch: "" });
	expect(diffTexts("f", lines(5000, "old"), lines(5000, "new"))).toMatchObject({
		added: 5000,
		removed: 5000,
	});
});
