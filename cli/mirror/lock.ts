// The lock of a tree's folder: two copies into one folder at once would take each other's half-written files for their own.
// Refuses to wait.
import { closeSync, constants, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileError } from "#host/durable.ts";
import { codeOf } from "#host/errors.ts";
import type { Host } from "#host/host.ts";
import { CliError } from "../errors.ts";

/** An empty file beside v1/; no reader asks for it. */
const LOCK_NAME = ".kfn-mirror.lock";

/**
 * Makes the folder where it is missing, and runs `body` while nobody else copies into it. CLI_MIRROR_BUSY, CLI_FILE_UNWRITABLE. An flock that the
 * loader takes (decision 3): it dies with this process, whatever ends it.
 */
export async function withTreeLock<T>(host: Host, folder: string, body: () => Promise<T>): Promise<T> {
	if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false) {
		throw new CliError("CLI_FILE_UNWRITABLE", `${folder} is a file, and a mirror is a folder`, {
			hint: "name another place; kfn export writes one file",
		});
	}
	host.durable.makeFolder(folder);
	const fd = open(join(folder, LOCK_NAME));
	try {
		await lock(host, fd, folder);
		return await body();
	} finally {
		closeSync(fd);
	}
}

async function lock(host: Host, fd: number, folder: string): Promise<void> {
	try {
		await host.loader.lock(fd);
	} catch (cause) {
		if (codeOf(cause) !== "LOAD_LOCK_HELD") throw cause;
		throw new CliError("CLI_MIRROR_BUSY", `another kfn is writing into ${folder}`, {
			hint: "wait until it is done, then run the command again",
			details: { folder },
			cause,
		});
	}
}

function open(path: string): number {
	try {
		return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
	} catch (error) {
		throw fileError(error, path);
	}
}
