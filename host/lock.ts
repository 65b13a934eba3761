// The one lock of a host, as a value that everything which changes the host demands. Who is second is told who is first, at once or,
// where nobody is there to be told (an unattended run), after the host's `lockWaitMs`.
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileError } from "./durable.ts";
import { codeOf, HostError } from "./errors.ts";
import type { Host } from "./host.ts";
import { time } from "./plan.ts";
import { count, exact, ShapeError, text } from "./shape.ts";

const { O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
const ATTEMPTS = 16;
/** flock(2) can wait without end only: who waits looks again so often. */
const LOOK_AGAIN_MS = 200;

/**
 * The held lock. Only `withLock` makes one; `fd` is the open file that carries the flock, so a child that inherits it
 * keeps the host locked until it ends, even where this process is killed.
 */
export interface HostLock {
	readonly host: Host;
	readonly command: string;
	readonly fd: number;
}

const holderShape = exact({ pid: count, command: text, since: time });
type Holder = ReturnType<typeof holderShape>;

class HeldLock implements HostLock {
	readonly host: Host;
	readonly command: string;
	#fd: number | undefined;

	constructor(host: Host, command: string, fd: number) {
		this.host = host;
		this.command = command;
		this.#fd = fd;
	}

	get fd(): number {
		if (this.#fd === undefined)
			throw new HostError("HOST_LOCK_RELEASED", "the host's lock was already given back");
		return this.#fd;
	}

	release(): void {
		closeSync(this.fd);
		this.#fd = undefined;
	}
}

/**
 * Runs `body` while holding the host's lock, which is given back whatever happens.
 *
 * HOST_LOCKED names the holder's pid and command, once the host's `lockWaitMs` are over. The lock is advisory (flock on var/lib/kfn/lock) and dies with its
 * last holder: no stale lock can exist.
 */
export async function withLock<T>(
	host: Host,
	command: string,
	body: (lock: HostLock) => Promise<T> | T,
): Promise<T> {
	host.durable.makeFolder(host.layout.state);
	const lock = new HeldLock(host, command, await acquire(host, host.layout.lock));
	try {
		const holder: Holder = { pid: process.pid, command, since: host.now().toISOString() };
		host.durable.scribble(lock.fd, `${JSON.stringify(holder)}\n`);
		return await body(lock);
	} finally {
		lock.release();
	}
}

/** Opens and locks a file of the host's state; closing it gives the lock back. Errors as {@link withLock}. */
export async function acquire(host: Host, path: string): Promise<number> {
	const until = performance.now() + host.lockWaitMs;
	while (performance.now() < until) {
		try {
			return await acquireNow(host, path);
		} catch (error) {
			if (codeOf(error) !== "HOST_LOCKED") throw error;
		}
		await setTimeout(LOOK_AGAIN_MS);
	}
	return acquireNow(host, path);
}

async function acquireNow(host: Host, path: string): Promise<number> {
	for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
		const fd = open(host, path);
		try {
			await host.loader.lock(fd);
			if (isStill(path, fd)) return fd;
		} catch (error) {
			closeSync(fd);
			throw codeOf(error) === "LOAD_LOCK_HELD" ? locked(path, error) : error;
		}
		// A purge removed the file between open and flock: what is locked has no name any more, and the next one would lock another file.
		closeSync(fd);
		host.durable.makeFolder(dirname(path));
	}
	throw locked(path, undefined);
}

function open(host: Host, path: string): number {
	try {
		return host.faults.around("open lock", () => openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o644));
	} catch (error) {
		throw fileError(error, path);
	}
}

function isStill(path: string, fd: number): boolean {
	const now = statSync(path, { throwIfNoEntry: false });
	const held = fstatSync(fd);
	return now !== undefined && now.ino === held.ino && now.dev === held.dev;
}

function locked(path: string, cause: unknown): HostError {
	const holder = readHolder(path);
	if (holder === undefined) {
		return new HostError("HOST_LOCKED", "another kfn is changing this host", {
			hint: "wait until it is done, then run the command again",
			cause,
		});
	}
	const gone = !isAlive(holder.pid);
	const who = gone ? `the loader of the ended process ${holder.pid}` : `process ${holder.pid}`;
	return new HostError("HOST_LOCKED", `${who} is changing this host: ${holder.command}`, {
		hint: "wait until it is done, then run the command again",
		details: { ...holder },
		cause,
	});
}

function readHolder(path: string): Holder | undefined {
	try {
		return holderShape(JSON.parse(readFileSync(path, "utf8")), "");
	} catch (error) {
		// Its holder may be about to write it; the lock counts, not this line.
		if (error instanceof ShapeError || error instanceof SyntaxError || codeOf(error) === "ENOENT")
			return undefined;
		throw error;
	}
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return codeOf(error) === "EPERM";
	}
}
