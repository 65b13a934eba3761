import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { applyMasks } from "./masks.ts";
import { runSession, SessionMismatch, type SessionOptions, sessionsIn } from "./session.ts";
import { formatSession, parseSession } from "./session-text.ts";

let folder: string;
let cli: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "kfn-session-test-"));
	cli = join(folder, "cli");
	const script = [
		"#!/bin/sh",
		'case "$1" in',
		"greet) echo hello $2 ;;",
		"refuse) echo no >&2; exit 3 ;;",
		"where) pwd; echo $HOME >&2 ;;",
		'digest) printf "%064d\\n" 7 ;;',
		"env) env | sort ;;",
		"esac",
	];
	writeFileSync(cli, script.join("\n"));
	chmodSync(cli, 0o755);
});

afterEach(() => {
	rmSync(folder, { recursive: true });
	vi.unstubAllEnvs();
});

function session(text: string): string {
	const file = join(folder, "a.golden");
	writeFileSync(file, text);
	return file;
}

function runText(text: string, options: Partial<SessionOptions> = {}) {
	return runSession({ file: session(text), cli, update: false, ...options });
}

describe("a session that answers as written", () => {
	it.each([
		["stdout", "$ kfn greet you\nhello you\n"],
		["stderr and the exit code", "$ kfn refuse\n! no\n? 3\n"],
		["several steps in one folder, with comments", "# first\n$ echo a > f\n\n# then\n$ cat f\na\n\n# end\n"],
		["masked values", "$ kfn digest\n[DIGEST]\n$ kfn where\n[DIR]\n! [DIR]/../home\n"],
		["blank lines within the output", "$ printf 'a\\n\\nb\\n\\n'\na\n\nb\n\\\n\n$ true\n"],
		["a missing last newline", "$ printf a\na\n\\c\n"],
		[
			"output that looks like the format",
			"$ printf '$ x\\n! y\\n? 1\\n# z\\n\\\\w\\n'\n\\$ x\n\\! y\n\\? 1\n\\# z\n\\\\w\n",
		],
	])("passes: %s", async (_name, text) => {
		await runText(text, { masks: [{ pattern: /(?<=^)\/.*\/home$/gm, name: "[DIR]/../home" }] });
	});

	it("gets the files and variables of its options and nothing of the test's environment", async () => {
		vi.stubEnv("KFN_SECRET_OF_THE_TEST", "leaked");
		const text =
			"$ cat sub/in.txt\ngiven\n$ echo $KFN_GIVEN\n[REGISTRY]/x\n$ kfn env | grep -c LEAK\n0\n? 1\n";
		await runText(text.replace("LEAK", "KFN_SECRET"), {
			files: { "sub/in.txt": "given\n" },
			env: { KFN_GIVEN: "http://registry/x" },
			literals: { REGISTRY: "http://registry" },
		});
	});
});

describe("a session that does not answer as written", () => {
	it.each([
		["another line", "$ kfn greet you\nhello me\n"],
		["a missing line", "$ kfn greet you\n"],
		["one line more", "$ kfn greet you\nhello you\nand more\n"],
		["success instead of failure", "$ kfn greet you\nhello you\n? 1\n"],
		["failure instead of success", "$ kfn refuse\n! no\n"],
		["another exit code", "$ kfn refuse\n! no\n? 1\n"],
		["stderr instead of stdout", "$ kfn refuse\nno\n? 3\n"],
		["a blank line too few", "$ printf 'a\\n\\nb\\n'\na\nb\n"],
		["a blank line too many", "$ printf 'a\\nb\\n'\na\n\nb\n"],
		["a newline that is not there", "$ printf a\na\n"],
		["a difference after a step that is right", "$ kfn greet a\nhello a\n$ kfn greet b\nhello c\n"],
		["an unknown command", "$ kfn greet a\nhello a\n$ no-such-command\n"],
		["a digest of the wrong length", "$ echo abc123\n[DIGEST]\n"],
	])("fails: %s", async (_name, text) => {
		await expect(runText(text)).rejects.toBeInstanceOf(SessionMismatch);
	});

	it("names the command and shows both texts", async () => {
		const error = await runText("$ true\n$ kfn greet you\nhello me\n").catch((caught: unknown) => caught);
		expect(error).toMatchObject({ message: "a.golden: $ kfn greet you\nhello you" });
		expect(error).toMatchObject({ expected: expect.stringContaining("hello me") });
		expect(error).toMatchObject({ actual: expect.stringContaining("hello you") });
	});

	it("fails where it holds no command or where output stands before the first", async () => {
		await expect(runText("# nothing\n")).rejects.toThrow("proves nothing");
		await expect(runText("hello\n$ true\n")).rejects.toThrow("line 1 belongs to no command");
	});

	it("fails where a command outlives its time", async () => {
		await expect(runText("$ sleep 60\n", { timeoutMs: 100 })).rejects.toThrow("still running after 100 ms");
	});
});

describe("updating", () => {
	const wrong = "# kept\n\n$ kfn greet you\nwrong\n\n# kept too\n$ kfn refuse\n\n# end\n";
	const right = "# kept\n\n$ kfn greet you\nhello you\n\n# kept too\n$ kfn refuse\n! no\n? 3\n\n# end\n";

	it("rewrites the answers and keeps the comments, so that the session then passes", async () => {
		vi.stubEnv("KFN_UPDATE", "1");
		vi.stubEnv("CI", "");
		const file = session(wrong);
		await runSession({ file, cli });
		expect(readFileSync(file, "utf8")).toBe(right);
		await runSession({ file, cli, update: false });
	});

	it("is refused where CI is set", async () => {
		vi.stubEnv("KFN_UPDATE", "1");
		vi.stubEnv("CI", "true");
		const file = session(wrong);
		await expect(runSession({ file, cli })).rejects.toThrow("rewritten by people");
		expect(readFileSync(file, "utf8")).toBe(wrong);
	});

	it("does not happen unasked", async () => {
		vi.stubEnv("KFN_UPDATE", "");
		const file = session(wrong);
		await expect(runSession({ file, cli })).rejects.toBeInstanceOf(SessionMismatch);
		expect(readFileSync(file, "utf8")).toBe(wrong);
	});
});

describe("the text format", () => {
	it("reads back any output that it writes", () => {
		const pieces = [
			"",
			"a",
			"\n",
			"\n\n",
			"$ x\n",
			"! y\n",
			"!\n",
			"? 3\n",
			"# z\n",
			"\\\n",
			"\\c\n",
			"\\c",
			"\\\\c\n",
		];
		for (const stdout of pieces.flatMap((a) => pieces.flatMap((b) => pieces.map((c) => a + b + c)))) {
			for (const stderr of ["", "e\n", stdout]) {
				const step = { before: ["# c", ""], command: "x", stdout, stderr, exit: 7 };
				const session = { steps: [step, { ...step, exit: 0 }], after: ["", "# end"] };
				expect(parseSession(formatSession(session))).toEqual(session);
			}
		}
	});
});

describe("masks", () => {
	const digest = "0123456789abcdef".repeat(4);
	it.each([
		[`tag kfn1:${digest}`, "tag kfn1:[DIGEST]"],
		[`${digest}0`, `${digest}0`],
		["at 2026-11-23T10:00:00.000Z", "at [TIME]"],
		["took 1.25 ms (12.6µs)", "took [DURATION] ([DURATION])"],
		["version 1.0.1 of 3 streams", "version 1.0.1 of 3 streams"],
		["http://127.0.0.1:40123/v1", "http://127.0.0.1:[PORT]/v1"],
		[`kfn_${"a".repeat(43)}`, "[TOKEN]"],
		[`${"A".repeat(86)}==`, "[SIGNATURE]"],
		[`key ${"B".repeat(43)}= comment`, "key [KEY] comment"],
		["held by pid 4711", "held by pid [PID]"],
	])("%s", (text, masked) => {
		expect(applyMasks(text)).toBe(masked);
	});

	it("replaces the longest literal first", () => {
		expect(applyMasks("/a/b /a", { SHORT: "/a", LONG: "/a/b" })).toBe("[LONG] [SHORT]");
	});
});

describe("sessionsIn", () => {
	it("lists the golden files in order, and refuses a folder without one", () => {
		expect(() => sessionsIn(folder)).toThrow("no sessions");
		for (const name of ["b.golden", "a.golden", "c.txt"]) writeFileSync(join(folder, name), "");
		expect(sessionsIn(folder)).toEqual([join(folder, "a.golden"), join(folder, "b.golden")]);
	});
});
