// Finds out, before anything is expanded, what a zstd frame promises and where it ends (RFC 8878, section 3.1.1).
// Refuses what our writer never writes: skippable frames, dictionaries, unknown sizes, a second frame, trailing bytes.
import { BundleError } from "./errors.ts";

const MAGIC = 0xfd2fb528;
const BLOCK_BYTES = 128 * 1024;
const CHECKSUM_BYTES = 4;

export interface ZstdFrame {
	/** Size that the frame promises to expand to; the decoder holds it to that. */
	readonly contentBytes: number;
	readonly windowBytes: number;
}

class Reader {
	readonly bytes: Buffer;
	offset = 0;

	constructor(bytes: Uint8Array) {
		this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	}

	skip(count: number): number {
		const start = this.offset;
		if (start + count > this.bytes.length) {
			throw new BundleError(
				"BUNDLE_TRUNCATED",
				`the archive ends after ${this.bytes.length} bytes, inside its frame`,
				{
					hint: "Fetch it again: the transfer was cut.",
				},
			);
		}
		this.offset += count;
		return start;
	}

	uint(count: 1 | 2 | 3 | 4): number {
		const start = this.skip(count);
		return this.bytes.readUIntLE(start, count);
	}

	uint64(): bigint {
		const start = this.skip(8);
		return this.bytes.readBigUInt64LE(start);
	}
}

function refuse(why: string): never {
	throw new BundleError("BUNDLE_NOT_A_BUNDLE", `the file ${why}`);
}

/** Frame_Content_Size, section 3.1.1.1.4; absent only when the flag is 0 and the frame is not a single segment. */
function contentSize(reader: Reader, flag: number, single: boolean): number {
	if (flag === 0 && !single) refuse("does not say how large it becomes");
	if (flag === 0) return reader.uint(1);
	if (flag === 1) return reader.uint(2) + 256;
	if (flag === 2) return reader.uint(4);
	const large = reader.uint64();
	return large > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(large);
}

/** Window_Descriptor, section 3.1.1.1.2. */
function windowSize(descriptor: number): number {
	const base = 2 ** (10 + (descriptor >> 3));
	return base + (base / 8) * (descriptor & 7);
}

function readHeader(reader: Reader): ZstdFrame {
	if (reader.uint(4) !== MAGIC) refuse("is not a zstd archive");
	const descriptor = reader.uint(1);
	const single = (descriptor & 0x20) !== 0;
	if ((descriptor & 0x18) !== 0) refuse("uses bits that zstd reserves");
	if ((descriptor & 0x04) === 0) refuse("has no content checksum");
	if ((descriptor & 0x03) !== 0) refuse("needs a dictionary");
	const window = single ? undefined : windowSize(reader.uint(1));
	const contentBytes = contentSize(reader, descriptor >> 6, single);
	return { contentBytes, windowBytes: window ?? contentBytes };
}

/** Walks the block headers (section 3.1.1.2) without expanding any block. */
function skipBlocks(reader: Reader): void {
	for (;;) {
		const header = reader.uint(3);
		const kind = (header >> 1) & 3;
		const size = header >> 3;
		if (kind === 3 || size > BLOCK_BYTES) {
			throw new BundleError("BUNDLE_CORRUPT", "a block header of the zstd frame is impossible");
		}
		// An RLE block holds one byte, however large it becomes.
		reader.skip(kind === 1 ? 1 : size);
		if ((header & 1) === 1) return;
	}
}

/**
 * Reads the header of a single zstd frame with content size and checksum, and demands that the bytes end where it ends.
 * BUNDLE_NOT_A_BUNDLE, BUNDLE_TRUNCATED, BUNDLE_CORRUPT, BUNDLE_TRAILING_DATA.
 */
export function inspectFrame(bytes: Uint8Array): ZstdFrame {
	const reader = new Reader(bytes);
	const frame = readHeader(reader);
	skipBlocks(reader);
	reader.skip(CHECKSUM_BYTES);
	const trailing = bytes.length - reader.offset;
	if (trailing !== 0) {
		throw new BundleError("BUNDLE_TRAILING_DATA", `${trailing} bytes follow the end of the archive`);
	}
	return frame;
}
