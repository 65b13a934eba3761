// Runs golden CLI sessions: types every `$` line of a text file into a shell where `kfn` is the real CLI and compares everything that comes back. Refuses to rewrite a file unless KFN_UPDATE=1 asks for it.
import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	realpathSync,
	renameSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { registerUndo } from "./cleanup.ts";
import { run } from "./command.ts";
import { applyMasks, type Mask } from "./masks.ts";
import { type Answer, formatAnswer, formatSession, parseSession, type Step } from "./session-text.ts";

export interface SessionOptions {
	/** Path of the `.golden` file. */
	readonly file: string;
	/** What `kfn` is in the session: an executable, or a script with a `#!/usr/bin/env node` line. */
	readonly cli: string;
	/** Variables on top of the fixed environment (PATH, HOME, LC_ALL, TZ, NO_COLOR, TERM, COLUMNS). */
	readonly env?: Readonly<Record<string, string>>;
	/** Files laid down in the session's folder before the first command: path below it → content. */
	readonly files?: Readonly<Record<string, string | Uint8Array>>;
	/** Name → literal text shown as `[NAME]`; the session's folder is always `[DIR]`. */
	readonly literals?: Readonly<Record<string, string>>;
	/** Masks applied before those that every session has. */
	readonly masks?: readonly Mask[];
	/** Rewrite the file with what came back; KFN_UPDATE=1 unless given, and never where CI is set. */
	readonly update?: boolean;
	/** Milliseconds that one command may take; 60,000 unless given. */
	readonly timeoutMs?: number;
}

/** A session that did not answer as written. `expected` and `actual` hold both whole texts, for a runner's diff. */
export class SessionMismatch extends Error {
	readonly expected: string;
	readonly actual: string;
	constructor(message: string, expected: string, actual: string) {
		super(message);
		this.name = "SessionMismatch";
		this.expected = expected;
		this.actual = actual;
	}
}

/**
 * Runs a session in a fresh folder and compares, after masking, every line of stdout and stderr and every exit code.
 *
 * All commands run, also after a difference. Throws SessionMismatch that names the first differing command, unless
 * updating: then the file is replaced, atomically, and comments stay. A session without a command throws.
 */
export async function runSession(options: SessionOptions): Promise<void> {
	const written = readFileSync(options.file, "utf8");
	const session = parseSession(written);
	if (session.steps.length === 0)
		throw new Error(`${options.file}: a session without a command proves nothing`);
	const steps = await answers(session.steps, options);
	const actual = formatSession({ ...session, steps });
	if (options.update ?? updating()) return rewrite(options.file, actual);
	const expected = formatSession(session);
	if (actual === expected) return;
	const [step, answered] = firstDifference(session.steps, steps);
	const shown = formatAnswer(answered).join("\n");
	throw new SessionMismatch(`${basename(options.file)}: $ ${step.command}\n${shown}`, expected, actual);
}

/** Paths of the `.golden` files of a folder, sorted; a folder without one throws. */
export function sessionsIn(folder: string): string[] {
	const names = readdirSync(folder).filter((name) => name.endsWith(".golden"));
	if (names.length === 0) throw new Error(`${folder}: no sessions`);
	return names.sort().map((name) => join(folder, name));
}

async function answers(steps: readonly Step[], options: SessionOptions): Promise<Step[]> {
	const top = realpathSync(mkdtempSync(join(tmpdir(), `kfn-session-${process.pid}-`)));
	const undo = registerUndo(`session ${top}`, () => rmSync(top, { recursive: true, force: true }));
	try {
		const dir = layOut(top, options);
		const literals = { ...options.literals, DIR: dir };
		const env = environment(top, dir, options);
		const done: Step[] = [];
		for (const step of steps) {
			const answer = await type(step.command, dir, env, options.timeoutMs ?? 60_000);
			const mask = (text: string) => applyMasks(text, literals, options.masks);
			done.push({ ...step, exit: answer.exit, stdout: mask(answer.stdout), stderr: mask(answer.stderr) });
		}
		return done;
	} finally {
		undo.run();
	}
}

/** Makes `bin/` (kfn, node) and the session's own folder, and hands back the latter. */
function layOut(top: string, options: SessionOptions): string {
	const dir = join(top, "session");
	mkdirSync(join(top, "bin"));
	mkdirSync(join(top, "home"));
	mkdirSync(dir);
	symlinkSync(realpathSync(options.cli), join(top, "bin/kfn"));
	// The CLI is run by the node that runs the tests, whatever the machine calls node.
	symlinkSync(process.execPath, join(top, "bin/node"));
	for (const [path, content] of Object.entries(options.files ?? {})) {
		mkdirSync(dirname(join(dir, path)), { recursive: true });
		writeFileSync(join(dir, path), content);
	}
	return dir;
}

function environment(top: string, dir: string, options: SessionOptions): Record<string, string> {
	return {
		PATH: `${join(top, "bin")}:/usr/sbin:/usr/bin:/sbin:/bin`,
		HOME: join(top, "home"),
		TMPDIR: top,
		PWD: dir,
		LC_ALL: "C.UTF-8",
		TZ: "UTC",
		NO_COLOR: "1",
		TERM: "dumb",
		COLUMNS: "100",
		...options.env,
	};
}

async function type(
	command: string,
	cwd: string,
	env: Record<string, string>,
	timeoutMs: number,
): Promise<Answer> {
	const result = await run("/bin/sh", ["-c", command], { cwd, env, timeoutMs, allowFailure: true });
	if (result.code === null) throw new Error(`$ ${command}: ended by ${result.signal}`);
	return { stdout: result.stdout, stderr: result.stderr, exit: result.code };
}

function firstDifference(expected: readonly Step[], actual: readonly Step[]): [Step, Step] {
	const index = expected.findIndex((step, at) => {
		return formatAnswer(step).join("\n") !== formatAnswer(actual[at]!).join("\n");
	});
	return [expected[index]!, actual[index]!];
}

function updating(): boolean {
	if (process.env["KFN_UPDATE"] !== "1") return false;
	if (process.env["CI"])
		throw new Error("KFN_UPDATE=1 where CI is set: golden files are rewritten by people");
	return true;
}

function rewrite(file: string, text: string): void {
	writeFileSync(`${file}.new`, text);
	renameSync(`${file}.new`, file);
}
