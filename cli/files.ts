// The files that the user names on the command line: read with a limit, written durably and never over another.
// Refuses to overwrite unless told to.

import { randomBytes } from "node:crypto";
import { type FileHandle, link, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { CliError } from "./errors.ts";

const READ_LIMIT = 32 * 1024 * 1024;

/** Reads a whole file of at most `limit` bytes; never more, whatever size it claims (a device claims none and never ends). */
export async function readInput(path: string, limit = READ_LIMIT): Promise<Uint8Array> {
	const file = await open(path, "r");
	const chunks: Buffer[] = [];
	let size = 0;
	// `end` is inclusive: one byte more than may be there tells the two cases apart.
	for await (const chunk of file.createReadStream({ start: 0, end: limit })) {
		chunks.push(chunk as Buffer);
		size += (chunk as Buffer).length;
	}
	if (size <= limit) return Buffer.concat(chunks);
	throw new CliError("CLI_FILE_UNREADABLE", `${path} is larger than the ${limit} bytes it may be`);
}

/**
 * Writes a file whole or not at all: temporary file, fsync, then into place, then fsync of the folder.
 * Without `overwrite` an existing file is CLI_FILE_EXISTS and stays as it was.
 */
export async function writeOutput(
	path: string,
	bytes: Uint8Array | string,
	options: { overwrite: boolean; mode?: number },
): Promise<void> {
	const { temporary, file } = await createTemporary(path, options.mode);
	try {
		await file.writeFile(bytes);
		await file.sync();
	} finally {
		await file.close();
	}
	await placeOutput(temporary, path, options);
}

/** Opens a new file beside `path` for bytes that are not all there yet; CLI_FILE_UNWRITABLE where there is no such folder. */
export async function createTemporary(
	path: string,
	mode = 0o644,
): Promise<{ readonly temporary: string; readonly file: FileHandle }> {
	const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
	try {
		return { temporary, file: await open(temporary, "wx", mode) };
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException;
		if (code !== "ENOENT" && code !== "ENOTDIR") throw cause;
		throw new CliError("CLI_FILE_UNWRITABLE", `cannot write ${path}: ${dirname(path)} is no folder`, {
			hint: "make the folder first",
			cause,
		});
	}
}

/** Gives a file that is whole and durable its name; without `overwrite`, CLI_FILE_EXISTS where it is taken. */
export async function placeOutput(
	temporary: string,
	path: string,
	options: { overwrite: boolean },
): Promise<void> {
	try {
		if (options.overwrite) await rename(temporary, path);
		else await linkInto(temporary, path);
	} catch (error) {
		await unlink(temporary).catch(() => {});
		throw error;
	}
	await syncFolder(dirname(path));
}

/** Makes the names in a folder as durable as the files that they name. */
export async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}

/** link(2) fails when the name is taken, rename(2) would replace it. */
async function linkInto(temporary: string, path: string): Promise<void> {
	try {
		await link(temporary, path);
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
		throw fileExists(path);
	}
	await unlink(temporary);
}

export function fileExists(path: string): CliError {
	return new CliError("CLI_FILE_EXISTS", `${path} exists already`, {
		hint: "name another file, or remove it first",
	});
}
