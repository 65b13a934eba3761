// The one module that writes to disk: temp file, fsync, rename, fsync of the folder. Refuses to leave a half-written
// file or folder under a final name, and to write anything that does not pass the faults door.
import {
	closeSync,
	constants,
	fstatSync,
	fsyncSync,
	ftruncateSync,
	lstatSync,
	mkdirSync,
	openSync,
	readdirSync,
	readlinkSync,
	readSync,
	renameSync,
	rmdirSync,
	rmSync,
	symlinkSync,
	unlinkSync,
	writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { HostError } from "./errors.ts";
import type { Faults } from "./faults.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_WRONLY, O_APPEND } = constants;

/**
 * Durable changes of the file system; every call is done when it returns: a power cut afterwards cannot undo it.
 *
 * Every call is atomic for readers, except `appendLine` (a torn last line is possible) and `removeTree`.
 * Failures are HOST_DISK_FULL, HOST_NO_PERMISSION or HOST_IO with the path; after one, the old or the new state is
 * there, never a mixture, and the caller reads which.
 */
export interface Durable {
	/** Makes a folder and its missing parents. */
	makeFolder(path: string): void;
	/** Creates or replaces a file; mode 0644, less the umask, unless another is given. */
	writeFile(path: string, bytes: Uint8Array | string, mode?: number): void;
	/** Like `writeFile`, for many files in one folder: the name is durable once `syncFolder` has returned, the bytes before. */
	placeFile(path: string, bytes: Uint8Array | string, mode?: number): void;
	/** Makes the names in a folder durable. */
	syncFolder(path: string): void;
	/** Appends one line to a file; a torn last line of an earlier power cut is ended first. */
	appendLine(path: string, line: string): void;
	/** Makes `path` a symbolic link to `target`, replacing the one that is there. */
	swapLink(path: string, target: string): void;
	/** Builds a folder of files below `bin` and moves it to `path`, which must not exist. */
	importFolder(path: string, bin: string, files: ReadonlyMap<string, Uint8Array>): void;
	/** Removes a file or link; a missing one is fine. */
	removeFile(path: string): void;
	/** Removes a folder with all it holds; a missing one is fine. Not atomic: only for what nothing refers to any more. */
	removeTree(path: string): void;
	/** Removes a folder if it is empty; one that is missing or not empty stays as it is. */
	removeEmpty(path: string): void;
	/** Replaces what an open file holds, without durability: for the lock's holder line only. */
	scribble(fd: number, text: string): void;
}

/** Makes the writer whose every effect passes `faults`. */
export function openDurable(faults: Faults): Durable {
	return new FileWriter(faults);
}

class FileWriter implements Durable {
	readonly #faults: Faults;

	constructor(faults: Faults) {
		this.#faults = faults;
	}

	makeFolder(path: string): void {
		if (statOf(path)?.isDirectory()) return;
		this.makeFolder(dirname(path));
		this.#do(`mkdir ${basename(path)}`, path, () => mkdirIfMissing(path));
		this.syncFolder(dirname(path));
	}

	writeFile(path: string, bytes: Uint8Array | string, mode?: number): void {
		this.placeFile(path, bytes, mode);
		this.syncFolder(dirname(path));
	}

	placeFile(path: string, bytes: Uint8Array | string, mode?: number): void {
		// One fixed name per target: writers hold a lock, and a leftover of a killed one is replaced, not added to.
		const temp = temporary(path);
		this.#do(`clear ${basename(temp)}`, temp, () => rmSync(temp, { force: true }));
		this.#create(temp, bytes, mode);
		this.#do(`rename ${basename(path)}`, path, () => renameSync(temp, path));
	}

	syncFolder(path: string): void {
		this.#do(`fsync folder ${basename(path)}`, path, () => {
			const fd = openSync(path, O_RDONLY | O_DIRECTORY);
			try {
				fsyncSync(fd);
			} finally {
				closeSync(fd);
			}
		});
	}

	appendLine(path: string, line: string): void {
		const isNew = statOf(path) === undefined;
		const flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW;
		const fd = this.#do(`open ${basename(path)}`, path, () => openSync(path, flags, 0o644));
		try {
			const start = endsTorn(fd) ? "\n" : "";
			this.#do(`append ${basename(path)}`, path, () => writeAll(fd, `${start}${line}\n`));
			this.#do(`fsync ${basename(path)}`, path, () => fsyncSync(fd));
		} finally {
			closeSync(fd);
		}
		if (isNew) this.syncFolder(dirname(path));
	}

	swapLink(path: string, target: string): void {
		const temp = temporary(path);
		this.#do(`clear ${basename(temp)}`, temp, () => rmSync(temp, { force: true }));
		this.#do(`symlink ${basename(temp)}`, temp, () => symlinkSync(target, temp));
		this.#do(`rename ${basename(path)}`, path, () => renameSync(temp, path));
		this.syncFolder(dirname(path));
	}

	importFolder(path: string, bin: string, files: ReadonlyMap<string, Uint8Array>): void {
		const staged = join(bin, basename(path));
		this.removeTree(staged);
		const folders = new Set([staged]);
		this.#do(`mkdir ${basename(bin)}/${basename(staged)}`, staged, () => mkdirSync(staged, { mode: 0o755 }));
		for (const [name, bytes] of files) {
			const file = insideOf(staged, name);
			this.#makeStagedFolders(staged, dirname(file), folders);
			this.#create(file, bytes);
		}
		// Children before parents, so that no synced folder names one whose own entries could be lost.
		for (const folder of [...folders].reverse()) this.syncFolder(folder);
		this.#do(`rename into ${basename(dirname(path))}`, path, () => renameSync(staged, path));
		this.syncFolder(dirname(path));
		this.syncFolder(bin);
	}

	removeFile(path: string): void {
		if (statOf(path) === undefined) return;
		this.#do(`unlink ${basename(path)}`, path, () => unlinkIfThere(path));
		this.syncFolder(dirname(path));
	}

	removeTree(path: string): void {
		if (statOf(path) === undefined) return;
		this.#do(`remove ${basename(path)}`, path, () => rmSync(path, { recursive: true, force: true }));
		this.syncFolder(dirname(path));
	}

	removeEmpty(path: string): void {
		if (!statOf(path)?.isDirectory() || readdirSync(path).length > 0) return;
		this.#do(`rmdir ${basename(path)}`, path, () => rmdirSync(path));
		this.syncFolder(dirname(path));
	}

	scribble(fd: number, text: string): void {
		this.#do("write lock", "lock", () => {
			ftruncateSync(fd, 0);
			writeAll(fd, text, 0);
		});
	}

	#makeStagedFolders(top: string, folder: string, made: Set<string>): void {
		if (made.has(folder)) return;
		this.#makeStagedFolders(top, dirname(folder), made);
		this.#do(`mkdir ${basename(folder)}`, folder, () => mkdirSync(folder, { mode: 0o755 }));
		made.add(folder);
	}

	#create(path: string, bytes: Uint8Array | string, mode = 0o644): void {
		const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
		const name = basename(path);
		const fd = this.#do(`create ${name}`, path, () => openSync(path, flags, mode));
		try {
			this.#do(`write ${name}`, path, () => writeAll(fd, bytes));
			this.#do(`fsync ${name}`, path, () => fsyncSync(fd));
		} finally {
			closeSync(fd);
		}
	}

	#do<T>(point: string, path: string, effect: () => T): T {
		try {
			return this.#faults.around(point, effect);
		} catch (error) {
			throw fileError(error, path);
		}
	}
}

/** Maps what the file system says to the host's errors; anything that is not the file system's stays as it is. */
export function fileError(error: unknown, path: string): unknown {
	const code = (error as NodeJS.ErrnoException).code;
	const failed = { details: { path, errno: code }, cause: error };
	switch (code) {
		case "ENOSPC":
		case "EDQUOT":
			return new HostError("HOST_DISK_FULL", `no space left to write ${path}`, {
				...failed,
				hint: "free some space and run the command again; what runs in the kernel is unchanged",
			});
		case "EACCES":
		case "EPERM":
		case "EROFS":
			return new HostError("HOST_NO_PERMISSION", `may not write ${path} (${code})`, {
				...failed,
				hint: code === "EROFS" ? "the file system is mounted read-only" : "run as root, or move the root",
			});
		default:
			if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
			return new HostError("HOST_IO", `the file system failed ${path} (${code})`, {
				...failed,
				hint: "look at the kernel's log (dmesg) for errors of the disk",
			});
	}
}

/** What `path` is, not following a last link; undefined where nothing is there. */
export function statOf(path: string): ReturnType<typeof lstatSync> | undefined {
	return lstatSync(path, { throwIfNoEntry: false });
}

/** Where the link `path` points; undefined where there is no link. */
export function linkTarget(path: string): string | undefined {
	try {
		return readlinkSync(path);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT" || code === "EINVAL") return undefined;
		throw fileError(error, path);
	}
}

/** The temporary name beside `path`; sweeping removes what matches `isTemporary`. */
function temporary(path: string): string {
	return join(dirname(path), `.${basename(path)}.tmp`);
}

/** Says whether a file name is one that an interrupted write can leave behind. */
export function isTemporary(name: string): boolean {
	return name.startsWith(".") && name.endsWith(".tmp");
}

function insideOf(folder: string, name: string): string {
	const path = join(folder, name);
	// openBundle has refused such names; a second wall costs one line and stands where the write happens.
	if (!path.startsWith(`${folder}/`) || path !== `${folder}/${name}`) {
		throw new HostError("HOST_STORE_PATH", `a file would be stored outside its folder: ${name}`);
	}
	return path;
}

function mkdirIfMissing(path: string): void {
	try {
		mkdirSync(path, { mode: 0o755 });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	}
}

function unlinkIfThere(path: string): void {
	try {
		unlinkSync(path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
	}
}

function writeAll(fd: number, data: Uint8Array | string, position: number | null = null): void {
	const bytes = typeof data === "string" ? Buffer.from(data) : data;
	for (let done = 0; done < bytes.length; ) {
		const at = position === null ? null : position + done;
		done += writeSync(fd, bytes, done, bytes.length - done, at);
	}
}

function endsTorn(fd: number): boolean {
	const { size } = fstatSync(fd);
	if (size === 0) return false;
	const last = Buffer.alloc(1);
	readSync(fd, last, 0, 1, size - 1);
	return last[0] !== 0x0a;
}
