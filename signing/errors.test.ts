// The error table against the sources: no code without a place that throws it, no message without its controls stripped.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { plain, SIGNING_ERRORS, SigningError } from "./errors.ts";

// Codes of verified metadata are thrown where it is read and written, too: by host, registry and command line.
const FOLDERS = ["signing", "host", "registry", "cli"].map((name) => join(import.meta.dirname, "..", name));

test("every code is thrown somewhere", async () => {
	const literals = new Set<string>();
	for (const folder of FOLDERS) {
		for (const name of await readdir(folder, { recursive: true })) {
			if (!/(?<!\.test)\.ts$/.test(name) || name === "errors.ts" || name.includes("testing/")) continue;
			const source = await readFile(join(folder, name), "utf8");
			for (const [, code] of source.matchAll(/(?:new SigningError\(\s*|\? |: )"([A-Z_]+)"/g))
				literals.add(code!);
		}
	}
	expect(Object.keys(SIGNING_ERRORS).filter((code) => !literals.has(code))).toEqual([]);
});

test("an error carries code, exit, hint, details and cause", () => {
	const cause = new Error("why");
	const error = new SigningError("KEY_WEAK", "weak", { hint: "do", details: { keyid: "1" }, cause });
	expect(error).toMatchObject({
		name: "SigningError",
		code: "KEY_WEAK",
		exit: 3,
		message: "weak",
		hint: "do",
		details: { keyid: "1" },
	});
	expect(error.cause).toBe(cause);
	expect(new SigningError("KEY_MALFORMED", "x")).toMatchObject({ exit: 1, hint: undefined, details: {} });
});

test("text from outside cannot drive a terminal or fill a screen", () => {
	expect(plain("a\u001b[2J\nb\u202e\u{1f600}")).toBe("a?[2J?b???");
	expect(plain("x".repeat(81))).toBe(`${"x".repeat(80)}…`);
});
