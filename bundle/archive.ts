// .kfn = zstd(ustar), one byte sequence per set of files (docs/formats/bundle.md, "Archive"). Does not know what files mean.
import { promisify } from "node:util";
import { constants, zstdCompressSync, zstdDecompress } from "node:zlib";
import { BundleError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { checkFolders, checkPath } from "./path.ts";
import { plain } from "./plain.ts";
import { BLOCK, decodeHeader, encodeHeader, paddingOf } from "./ustar.ts";
import { inspectFrame, type ZstdFrame } from "./zstd-frame.ts";

export { LIMITS } from "./limits.ts";

export interface ArchiveEntry {
	readonly path: string;
	readonly bytes: Uint8Array;
}

const TAR_BYTES = LIMITS.totalBytes + LIMITS.entries * 2 * BLOCK + 2 * BLOCK;

function tooLarge(what: string, limit: number, details: Record<string, unknown> = {}): never {
	throw new BundleError("BUNDLE_TOO_LARGE", `${what}; the limit is ${limit}`, {
		details: { limit, ...details },
	});
}

/** Counts entries and bytes of an archive that is being written or read, and refuses the first that is too much. */
class Meter {
	readonly #seen = new Set<string>();
	#total = 0;
	#last = "";

	/** To be called before an entry's bytes are looked at. */
	admit(path: string, size: number): void {
		if (this.#seen.has(path)) {
			throw new BundleError("BUNDLE_DUPLICATE_ENTRY", `"${plain(path)}" is in the archive twice`);
		}
		if (path <= this.#last) {
			throw new BundleError("BUNDLE_NOT_DETERMINISTIC", `"${plain(path)}" is out of order`, {
				details: { path: plain(path), field: "order" },
			});
		}
		this.#seen.add(path);
		this.#last = path;
		this.#total += size;
		if (this.#seen.size > LIMITS.entries)
			tooLarge(`the archive has over ${LIMITS.entries} entries`, LIMITS.entries);
		if (size > LIMITS.entryBytes) tooLarge(`"${plain(path)}" has ${size} bytes`, LIMITS.entryBytes, { path });
		if (this.#total > LIMITS.totalBytes)
			tooLarge("the files have too many bytes together", LIMITS.totalBytes);
	}

	paths(): readonly string[] {
		return [...this.#seen];
	}
}

/**
 * Packs files: same paths and bytes, in whatever order, give the same archive (for one version of zstd).
 * Throws what `readArchive` would throw for paths, duplicates and limits.
 */
export function packArchive(entries: Iterable<ArchiveEntry>): Uint8Array {
	const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
	const meter = new Meter();
	const parts: Uint8Array[] = [];
	for (const { path, bytes } of sorted) {
		checkPath(path);
		meter.admit(path, bytes.length);
		parts.push(encodeHeader({ path, size: bytes.length }), bytes, Buffer.alloc(paddingOf(bytes.length)));
	}
	checkFolders(meter.paths());
	return compress(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]));
}

function compress(tar: Buffer): Uint8Array {
	const archive = zstdCompressSync(tar, {
		params: {
			[constants.ZSTD_c_compressionLevel]: 19,
			[constants.ZSTD_c_checksumFlag]: 1,
			[constants.ZSTD_c_contentSizeFlag]: 1,
		},
		pledgedSrcSize: tar.length,
	});
	checkFrame(inspectFrame(archive), archive.length);
	return archive;
}

/** Collects a source into memory and stops at `archiveBytes`: endless data costs no more than that. */
export async function collectArchive(source: AsyncIterable<Uint8Array> | Uint8Array): Promise<Uint8Array> {
	const parts: Uint8Array[] = [];
	let total = 0;
	for await (const part of source instanceof Uint8Array ? [source] : source) {
		total += part.length;
		if (total > LIMITS.archiveBytes)
			tooLarge(`the archive has over ${LIMITS.archiveBytes} bytes`, LIMITS.archiveBytes);
		parts.push(part);
	}
	return parts.length === 1 ? parts[0]! : Buffer.concat(parts, total);
}

function checkFrame(frame: ZstdFrame, archiveBytes: number): void {
	if (archiveBytes > LIMITS.archiveBytes)
		tooLarge(`the archive has ${archiveBytes} bytes`, LIMITS.archiveBytes);
	if (frame.windowBytes > 2 ** LIMITS.windowLog) {
		tooLarge(`the archive needs a window of ${frame.windowBytes} bytes`, 2 ** LIMITS.windowLog);
	}
	const allowed = Math.max(LIMITS.ratioFloorBytes, archiveBytes * LIMITS.ratio);
	if (frame.contentBytes > allowed) {
		throw new BundleError(
			"BUNDLE_BOMB",
			`${archiveBytes} bytes claim to become ${frame.contentBytes}; at most ${allowed} are allowed`,
			{ details: { archiveBytes, contentBytes: frame.contentBytes, allowed } },
		);
	}
	if (frame.contentBytes > TAR_BYTES) tooLarge(`the archive becomes ${frame.contentBytes} bytes`, TAR_BYTES);
}

/** Node's own limit, and zstd's when the window is as small as the promise. */
const OVERFLOWS: ReadonlySet<string> = new Set(["ERR_BUFFER_TOO_LARGE", "ZSTD_error_dstSize_tooSmall"]);

/** Expands a frame whose promise has been checked; never beyond the promised size, whatever the blocks hold. */
async function expand(archive: Uint8Array, frame: ZstdFrame): Promise<Buffer> {
	try {
		return await promisify(zstdDecompress)(archive, {
			maxOutputLength: Math.max(1, frame.contentBytes),
			params: { [constants.ZSTD_d_windowLogMax]: LIMITS.windowLog },
		});
	} catch (cause) {
		if (OVERFLOWS.has((cause as NodeJS.ErrnoException).code ?? "")) {
			throw new BundleError(
				"BUNDLE_BOMB",
				`the archive becomes more than the ${frame.contentBytes} bytes it claims`,
			);
		}
		throw new BundleError("BUNDLE_CORRUPT", "the archive's zstd stream is damaged", {
			cause,
			hint: "Fetch it again.",
		});
	}
}

/** A strict cursor over an expanded tar. */
class Tar {
	readonly #bytes: Buffer;
	#offset = 0;

	constructor(bytes: Buffer) {
		this.#bytes = bytes;
	}

	take(count: number, inside: string): Buffer {
		const end = this.#offset + count;
		if (end > this.#bytes.length) {
			throw new BundleError("BUNDLE_TRUNCATED", `the tar ends inside ${plain(inside)}`);
		}
		const part = this.#bytes.subarray(this.#offset, end);
		this.#offset = end;
		return part;
	}

	/** The second zero block, and nothing after it. */
	finish(): void {
		if (!isZero(this.take(BLOCK, "its end mark"))) {
			throw new BundleError("BUNDLE_TRAILING_DATA", "data follows the tar's first end block");
		}
		const trailing = this.#bytes.length - this.#offset;
		if (trailing > 0)
			throw new BundleError("BUNDLE_TRAILING_DATA", `${trailing} bytes follow the end of the tar`);
	}
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

function readTar(bytes: Buffer): ArchiveEntry[] {
	const tar = new Tar(bytes);
	const meter = new Meter();
	const entries: ArchiveEntry[] = [];
	for (;;) {
		const block = tar.take(BLOCK, "a header");
		if (isZero(block)) break;
		const { path, size } = decodeHeader(block);
		meter.admit(path, size);
		entries.push({ path, bytes: tar.take(size, `"${path}"`) });
		if (!isZero(tar.take(paddingOf(size), "padding"))) {
			throw new BundleError("BUNDLE_NOT_DETERMINISTIC", `the padding after "${path}" is not zero`, {
				details: { path, field: "padding" },
			});
		}
	}
	tar.finish();
	checkFolders(meter.paths());
	return entries;
}

/**
 * Reads an archive exactly as `packArchive` writes it; entries come sorted by path, each path once and safe to unpack.
 * Size, window and ratio are checked on what the frame promises, before a byte is expanded, and the promise is enforced.
 * Entries share one buffer. Errors: see BUNDLE_ERRORS; a failing source's own error passes through.
 */
export async function readArchive(source: AsyncIterable<Uint8Array> | Uint8Array): Promise<ArchiveEntry[]> {
	const archive = await collectArchive(source);
	const frame = inspectFrame(archive);
	checkFrame(frame, archive.length);
	const tar = await expand(archive, frame);
	if (tar.length !== frame.contentBytes) {
		throw new BundleError(
			"BUNDLE_CORRUPT",
			`the archive becomes ${tar.length} bytes, not the ${frame.contentBytes} it claims`,
		);
	}
	return readTar(tar);
}
