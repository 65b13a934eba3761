// What a person at a terminal sees: prompts without echo, progress only on a terminal. script(1) makes the terminal.

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const KFN = join(import.meta.dirname, "../node_modules/.bin/kfn");

/** Runs a command on a terminal and types `keys`, each after its prompt has appeared. */
function onTerminal(command: string, keys: readonly [prompt: string, answer: string][]) {
	const folder = mkdtempSync(join(tmpdir(), "kfn-terminal-"));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const child = spawn("script", ["-qec", command, "/dev/null"], { cwd: folder });
	const waiting = [...keys];
	let seen = "";
	let read = 0;
	child.stdout.on("data", (chunk: Buffer) => {
		seen += chunk.toString();
		const [next] = waiting;
		if (next === undefined || !seen.slice(read).includes(next[0])) return;
		read = seen.length;
		waiting.shift();
		child.stdin.write(next[1]);
	});
	return new Promise<{ code: number | null; seen: string; files: string[] }>((resolve) => {
		child.once("close", (code) => resolve({ code, seen, files: readdirSync(folder).sort() }));
	});
}

test("a passphrase is asked for twice and never shown", async () => {
	const { code, seen, files } = await onTerminal(`${KFN} key generate -o k`, [
		["passphrase for the new key: ", "correct horse\r"],
		["again: ", "correct horse\r"],
	]);
	expect(code).toBe(0);
	expect(seen).not.toContain("horse");
	expect(files).toEqual(["k", "k.pub"]);
});

test("two different passphrases, Ctrl-C and Ctrl-D write nothing", async () => {
	const answers: [string, string][] = [
		["other\r", "CLI_PASSPHRASE_MISMATCH"],
		["\u0003", "CLI_PASSPHRASE_NEEDED"],
		["\u0004", "CLI_PASSPHRASE_NEEDED"],
	];
	for (const [typed, expected] of answers) {
		const { code, seen, files } = await onTerminal(`${KFN} key generate -o k`, [
			["passphrase for the new key: ", "correct horse\r"],
			["again: ", typed],
		]);
		expect({ code, files }).toEqual({ code: 2, files: [] });
		expect(seen).toContain(expected);
	}
});

test("progress is shown on a terminal after half a second, and taken away again", async () => {
	// A compiler that takes its time: the line names the step, and is cleared before the result.
	const compiler = '#!/bin/sh\\nsleep 0.4\\nexec /usr/bin/clang-19 "$@"\\n';
	const folder = join(import.meta.dirname, "../docs/formats/examples/package");
	const built = await onTerminal(
		`mkdir bin && printf '${compiler}' > bin/clang-19 && chmod +x bin/clang-19 && PATH=$PWD/bin:$PATH ${KFN} build ${folder}`,
		[],
	);
	expect(built.code).toBe(0);
	expect(built.seen).toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] (staging|compiling|assembling)/);
	expect(built.seen).toContain("\r\x1b[2Ksample 1.0.0");
});

test("nothing of it is written where stderr is no terminal", async () => {
	const { code, seen } = await onTerminal(
		`KFN_PASSPHRASE=x ${KFN} key generate -o k 2>errors; test ! -s errors`,
		[],
	);
	expect({ code, spinner: /\x1b\[2K/.test(seen) }).toEqual({ code: 0, spinner: false });
});
