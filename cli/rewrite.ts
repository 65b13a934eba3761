// Rewrites a file that the user named, in place: what one kfn adds, another one that runs at the same moment does not lose.
// Refuses to give the file another owner or mode than it has.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Stats } from "node:fs";
import { type FileHandle, open, realpath, rename, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError } from "./errors.ts";
import { readInput, syncFolder } from "./files.ts";

const LOCK_MS = 30_000;
const ATTEMPTS = 16;
/** flock(1) needs nothing of the caller's environment, the publisher's secrets least of all. */
const ENVIRONMENT = { PATH: process.env["PATH"], LC_ALL: "C" };

/**
 * Replaces a file's bytes by `change` of them, whole or not at all, and durably; mode and owner stay, and a symbolic link stays one.
 *
 * Under flock(2) on the file itself, so that every other rewrite waits and then sees these bytes; the lock leaves nothing behind and
 * dies with its holder. CLI_FILE_BUSY where the lock cannot be had within half a minute, or something else replaces the
 * file all the time. CLI_NOT_ROOT where the owner cannot be kept.
 */
export async function rewriteFile(
	path: string,
	change: (bytes: Uint8Array) => Promise<Uint8Array>,
): Promise<void> {
	const real = await realpath(path);
	for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
		const file = await open(real, "r");
		try {
			await lock(file, real);
			const seen = await file.stat();
			// Who held the lock before has put another file under this name: what is locked now has none.
			if (!(await isStill(real, seen))) continue;
			const bytes = await change(await readInput(real));
			if (await replace(real, bytes, seen)) return;
		} finally {
			await file.close();
		}
	}
	throw busy(real, "it is replaced again and again");
}

async function lock(file: FileHandle, path: string): Promise<void> {
	// Not spawn's own `timeout`: it keeps the process up where the command could not be started at all.
	const signal = AbortSignal.timeout(LOCK_MS);
	const child = spawn("flock", ["--exclusive", "3"], {
		stdio: ["ignore", "ignore", "ignore", file.fd],
		env: ENVIRONMENT,
		signal,
	});
	try {
		const [code] = (await once(child, "close")) as [number | null];
		if (code === 0) return;
	} catch (cause) {
		if (!signal.aborted) throw busy(path, "flock(1), which locks it, cannot be started", cause);
	}
	throw busy(path, `its lock could not be had within ${LOCK_MS / 1000} seconds`);
}

/** False where something that takes no lock has replaced the file since `seen`. */
async function replace(path: string, bytes: Uint8Array, seen: Stats): Promise<boolean> {
	const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
	try {
		await writeLike(temporary, bytes, seen);
		const same = await isStill(path, seen);
		if (same) await rename(temporary, path);
		else await unlink(temporary);
		if (same) await syncFolder(dirname(path));
		return same;
	} catch (error) {
		await unlink(temporary).catch(() => {});
		throw error;
	}
}

async function writeLike(path: string, bytes: Uint8Array, { uid, gid, mode }: Stats): Promise<void> {
	const file = await open(path, "wx", 0o600);
	try {
		const made = await file.stat();
		if (made.uid !== uid || made.gid !== gid) await file.chown(uid, gid).catch(cannotKeep);
		// After the owner, for changing that takes set-id bits away; and not through open(2), for that heeds the umask.
		await file.chmod(mode & 0o7777);
		await file.writeFile(bytes);
		await file.sync();
	} finally {
		await file.close();
	}
}

function cannotKeep(cause: unknown): never {
	throw new CliError("CLI_NOT_ROOT", "the rewritten file would belong to somebody else than now", {
		hint: "run the command as the file's owner, or sign a copy of your own",
		cause,
	});
}

async function isStill(path: string, seen: Stats): Promise<boolean> {
	const now = await stat(path);
	return (
		now.dev === seen.dev && now.ino === seen.ino && now.mtimeMs === seen.mtimeMs && now.size === seen.size
	);
}

function busy(path: string, why: string, cause?: unknown): CliError {
	return new CliError("CLI_FILE_BUSY", `${path} was not changed: ${why}`, {
		hint: "wait for whatever else works on it, then run the command again",
		cause,
	});
}
