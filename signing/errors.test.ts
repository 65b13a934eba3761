// The error table against the sources: no code without a place that throws it, no message without its controls stripped.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { plain, SIGNING_ERRORS, SigningError } from "./errors.ts";

test("every code is thrown somewhere in this folder", async () => {
	const names = (await readdir(import.meta.dirname, { recursive: true })).filter(
		(name) => /(?<!\.test)\.ts$/.test(name) && name !== "errors.ts",
	);
	const sources = await Promise.all(names.map((name) => readFile(join(import.meta.dirname, name), "utf8")));
	const thrown = sources.flatMap((source) =>
		[...source.matchAll(/new SigningError\(\s*"([A-Z_]+)"/g)].map(([, code]) => code),
	);
	expect([...new Set(thrown)].sort()).toEqual(Object.keys(SIGNING_ERRORS).sort());
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
