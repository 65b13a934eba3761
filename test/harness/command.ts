// Runs one command of the machine (ip, tc, bpftool, tcpdump, …) and hands back its output. Refuses to hide a failure: a non-zero exit throws unless the caller asked to see it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { registerUndo } from "./cleanup.ts";

export interface RunOptions {
	readonly input?: string | Uint8Array;
	readonly env?: NodeJS.ProcessEnv;
	readonly cwd?: string;
	/** Milliseconds until the command is killed and the run fails; 60,000 unless given. */
	readonly timeoutMs?: number;
	/** Return a non-zero exit instead of throwing it. */
	readonly allowFailure?: boolean;
}

export interface CommandResult {
	/** Exit code, or null where a signal ended the command. */
	readonly code: number | null;
	readonly signal: NodeJS.Signals | null;
	readonly stdout: string;
	readonly stderr: string;
	readonly stdoutBytes: Uint8Array;
}

/** A command that could not be started, failed, or took too long; the message holds the command line and its stderr. */
export class CommandError extends Error {
	readonly result: CommandResult | undefined;
	constructor(message: string, result?: CommandResult, options?: ErrorOptions) {
		super(message, options);
		this.name = "CommandError";
		this.result = result;
	}
}

/** Runs a command to its end; throws CommandError where it fails, cannot be started, or outlives `timeoutMs`. */
export async function run(
	command: string,
	args: readonly string[] = [],
	options: RunOptions = {},
): Promise<CommandResult> {
	const line = [command, ...args].join(" ");
	const child = spawn(command, args, {
		stdio: ["pipe", "pipe", "pipe"],
		// A process group of its own, so that what the command started ends with it.
		detached: true,
		...(options.env === undefined ? {} : { env: options.env }),
		...(options.cwd === undefined ? {} : { cwd: options.cwd }),
	});
	const out: Buffer[] = [];
	const err: Buffer[] = [];
	child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
	child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
	// A command may end without reading its input; its exit code says what that means.
	child.stdin.on("error", () => undefined);
	child.stdin.end(options.input);
	const timeoutMs = options.timeoutMs ?? 60_000;
	let late = false;
	const timer = setTimeout(() => {
		late = true;
		killGroup(child);
	}, timeoutMs);
	const undo = registerUndo(line, () => killGroup(child));
	try {
		const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
		const stdoutBytes = new Uint8Array(Buffer.concat(out));
		const stdout = Buffer.from(stdoutBytes).toString("utf8");
		const result = { code, signal, stdout, stderr: Buffer.concat(err).toString("utf8"), stdoutBytes };
		if (late) throw new CommandError(`${line}: still running after ${timeoutMs} ms`, result);
		if (code !== 0 && !options.allowFailure) {
			throw new CommandError(`${line}: exit ${code ?? signal}: ${result.stderr.trim()}`, result);
		}
		return result;
	} catch (error) {
		if (error instanceof CommandError) throw error;
		throw new CommandError(`${line}: cannot be started`, undefined, { cause: error });
	} finally {
		clearTimeout(timer);
		undo.release();
	}
}

function killGroup(child: ChildProcess): void {
	if (child.pid === undefined) return;
	try {
		process.kill(-child.pid, "SIGKILL");
	} catch {
		// The whole group has ended already.
	}
}

/**
 * Waits until the child prints a line that `pattern` matches on stdout or stderr, and returns that line.
 *
 * Throws CommandError where the child ends first or the line does not come within `timeoutMs` (30,000 unless given).
 * Both streams keep flowing afterwards, so a child is never blocked on a full pipe.
 */
export async function waitForLine(child: ChildProcess, pattern: RegExp, timeoutMs = 30_000): Promise<string> {
	const seen: string[] = [];
	const ended = new AbortController();
	try {
		return await new Promise<string>((resolve, reject) => {
			const fail = (why: string) => reject(new CommandError(`${why} before ${pattern}: ${seen.join("\n")}`));
			const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
			ended.signal.addEventListener("abort", () => clearTimeout(timer));
			child.once("error", (error) =>
				reject(new CommandError("cannot be started", undefined, { cause: error })),
			);
			child.once("close", (code, signal) => fail(`ended with ${code ?? signal}`));
			for (const stream of [child.stdout, child.stderr]) {
				if (stream === null) continue;
				createInterface({ input: stream }).on("line", (text) => {
					if (seen.length < 100) seen.push(text);
					if (pattern.test(text)) resolve(text);
				});
			}
		});
	} finally {
		ended.abort();
	}
}

/** Ends a child that this process started: `signal` first, SIGKILL after `graceMs`; resolves when it is gone. */
export async function endChild(
	child: ChildProcess,
	signal: NodeJS.Signals = "SIGTERM",
	graceMs = 5_000,
): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
	const exit = once(child, "exit");
	const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
	child.kill(signal);
	await exit;
	clearTimeout(timer);
}
