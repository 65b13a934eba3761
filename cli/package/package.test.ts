// What the package says of the commands: each has a page that man(1) shows, and bash completes each word, flag and choice of them.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "#cli/commands/index.ts";
import { commandTable } from "./command-table.ts";
import { bashCompletion } from "./completions.ts";
import { manPages } from "./man-pages.ts";

const table = commandTable();
let folder: string;

beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "kfn-package-"));
	writeFileSync(join(folder, "kfn.bash"), bashCompletion(table));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What bash offers after these words; the last one is being typed. */
function completions(...words: string[]): string[] {
	const script = `source "$0"; COMP_WORDS=(kfn "$@"); COMP_CWORD=$#; _kfn; printf '%s\\n' "\${COMPREPLY[@]}"`;
	const output = execFileSync("bash", ["-c", script, join(folder, "kfn.bash"), ...words], {
		encoding: "utf8",
	});
	return output.split("\n").filter((line) => line !== "");
}

describe("completions in bash", () => {
	test("commands and topics, then what follows them", () => {
		const first = new Set(Object.keys(COMMANDS).map((id) => id.split(":")[0]));
		expect(completions("")).toEqual([...first].sort());
		expect(completions("registry", "token", "")).toEqual(["create", "list", "revoke"]);
		expect(completions("registry", "tok")).toEqual(["token"]);
	});

	test("the flags of the command that stands there, and no others", () => {
		expect(completions("trust", "root", "pin", "--fi")).toEqual(["--fingerprint"]);
		expect(completions("status", "--fi")).toEqual([]);
		expect(completions("upgrade", "flow-dissector", "--allow")).toEqual(["--allow-permit"]);
	});

	test("the choices of a flag that has some; nothing for a value that is no file", () => {
		expect(completions("root", "rotate", "--role", "")).toEqual(["root", "targets"]);
		expect(completions("install", "flow-dissector", "--scope", "")).toEqual([]);
	});
});

describe("man pages", () => {
	const pages = manPages(table, "9.9.9", "2026-01-02");

	test("one for each command, and one over all that names them", () => {
		expect(pages.length).toBe(Object.keys(COMMANDS).length + 1);
		const overview = pages[0]?.text ?? "";
		for (const id of Object.keys(COMMANDS)) {
			expect(overview).toContain(
				`kfn\\-${id.replaceAll(":", "\\-").replaceAll(/(?<=[a-z])-(?=[a-z])/g, "\\-")}`,
			);
		}
	});

	test("each names every argument and flag of its command, with what it is for", () => {
		for (const command of table) {
			const file = `${["kfn", ...command.words].join("-")}.1`;
			const page = pages.find((candidate) => candidate.file === file)?.text ?? "";
			for (const flag of command.flags) {
				expect(page).toContain(`\\-\\-${flag.name.replaceAll("-", "\\-")}`);
				expect(flag.description, `${file} --${flag.name}`).not.toBe("");
			}
			for (const arg of command.args) expect(page).toContain(arg.name.toUpperCase().replaceAll("-", "\\-"));
		}
	});

	test("a line that begins with a dot or a quote is text, not a request to troff", () => {
		const odd = {
			...table[0]!,
			words: ["odd"],
			summary: "odd",
			description: ".so /etc/passwd\n'quoted \\fB",
		};
		const page = manPages([odd], "9.9.9", "2026-01-02")[1]?.text ?? "";
		expect(page).toContain("\\&.so /etc/passwd\n\\&'quoted \\efB");
	});
});
