// Durable steps on files and folders: what has returned survives a power cut.
// Refuses to decide where anything lives.
import { type FileHandle, mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Flushes a folder's entries: creations, renames and removals in it are durable afterwards. */
export async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, "r");
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}

/** Creates one folder (its parent must exist), durably; an existing one is left as it is. */
export async function makeFolder(path: string): Promise<void> {
	try {
		await mkdir(path, { mode: 0o700 });
	} catch (error) {
		if (!hasCode(error, "EEXIST")) throw error;
	}
	// Also when it was there already: whoever made it may not have flushed it yet.
	await syncFolder(dirname(path));
}

/** Moves a flushed file to its place, replacing what is there, durably. Both paths must be on one file system. */
export async function moveIntoPlace(from: string, to: string): Promise<void> {
	await rename(from, to);
	await syncFolder(dirname(to));
}

/** Writes all of `bytes`: one write call may take fewer. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
	for (let offset = 0; offset < bytes.byteLength; ) {
		const { bytesWritten } = await file.write(bytes, offset);
		offset += bytesWritten;
	}
}

export function hasCode(error: unknown, code: string): boolean {
	return error instanceof Error && "code" in error && error.code === code;
}
