// One run of the compiler to its end, or to a limit of time or output. Refuses to hand it this process's environment.

import { spawn } from "node:child_process";
import type { Readable } from "node:stream";

const COMPILE_MS = 60_000;
/** The most that a bundle's entry may have; the text of a unit after preprocessing has to fit, too. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;
/** What sh, chroot(1) and setpriv(1) exit with when they could not start the compiler. */
const NOT_STARTED = [125, 126, 127];

export interface Finished {
	readonly ok: boolean;
	/** "ready" came on descriptor 3: the jail stood, and the compiler was started in it. */
	readonly entered: boolean;
	readonly stdout: Buffer;
	readonly stderr: string;
}

/** No CPATH, no CCC_OVERRIDE_OPTIONS, no SOURCE_DATE_EPOCH, and none of the publisher's secrets. */
export function environment(libraries?: string): NodeJS.ProcessEnv {
	const own = { PATH: process.env["PATH"], LC_ALL: "C" };
	return libraries === undefined ? own : { ...own, LD_LIBRARY_PATH: libraries };
}

/** Runs `command` in `cwd`; never throws for what the command does. */
export async function runToEnd(
	command: readonly string[],
	cwd: string,
	libraries?: string,
): Promise<Finished> {
	const [program, ...args] = command as [string, ...string[]];
	// No process in between: unshare, sh, chroot and setpriv become the compiler, so that the kill reaches it.
	const child = spawn(program, args, {
		cwd,
		env: environment(libraries),
		stdio: ["ignore", "pipe", "pipe", "pipe"],
		timeout: COMPILE_MS,
		killSignal: "SIGKILL",
	});
	const collect = (stream: Readable): Buffer[] => {
		const chunks: Buffer[] = [];
		let size = 0;
		stream.on("data", (chunk: Buffer) => {
			size += chunk.byteLength;
			if (size > OUTPUT_LIMIT) child.kill("SIGKILL");
			else chunks.push(chunk);
		});
		return chunks;
	};
	const stdout = collect(child.stdio[1] as Readable);
	const stderr = collect(child.stdio[2] as Readable);
	const ready = collect(child.stdio[3] as Readable);
	const code = await new Promise<number | null>((resolve) => {
		child.on("error", (error) => {
			stderr.push(Buffer.from(error.message));
			resolve(125);
		});
		child.on("close", resolve);
	});
	return {
		ok: code === 0,
		entered: Buffer.concat(ready).toString() === "ready\n" && !NOT_STARTED.includes(code ?? 0),
		stdout: Buffer.concat(stdout),
		stderr: Buffer.concat(stderr).toString("utf8"),
	};
}
