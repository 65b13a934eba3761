// For tests only: tars and zstd frames with any field wrong, which the product cannot write.
import { constants, zstdCompressSync } from "node:zlib";
import { encodeHeader, paddingOf } from "../ustar.ts";

export interface RawEntry {
	readonly path: string;
	readonly body?: Uint8Array;
	/** Bytes laid over the header, by offset, before the checksum is made. */
	readonly patch?: Readonly<Record<number, string>>;
	/** Says a size that is not the body's. */
	readonly size?: number;
}

/** Sets the checksum of a header block to what its bytes add up to. */
export function seal(block: Buffer): Buffer {
	block.write(" ".repeat(8), 148, "latin1");
	const sum = block.reduce((total, byte) => total + byte, 0);
	block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
	return block;
}

/** A header block with patches and a right checksum. */
export function rawHeader(entry: RawEntry): Buffer {
	const block = encodeHeader({ path: entry.path.slice(0, 100), size: entry.size ?? entry.body?.length ?? 0 });
	for (const [offset, bytes] of Object.entries(entry.patch ?? {}))
		block.write(bytes, Number(offset), "latin1");
	return seal(block);
}

export function rawTar(entries: readonly RawEntry[], end: Uint8Array = Buffer.alloc(1024)): Buffer {
	const parts = entries.flatMap((entry) => {
		const body = entry.body ?? Buffer.alloc(0);
		return [rawHeader(entry), body, Buffer.alloc(paddingOf(body.length))];
	});
	return Buffer.concat([...parts, end]);
}

/** A frame as kfn writes it, around any bytes. */
export function frameOf(tar: Uint8Array, params: Record<number, number> = {}): Buffer {
	return zstdCompressSync(tar, {
		params: { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: 3, ...params },
		pledgedSrcSize: tar.length,
	});
}

/** A frame of run-length blocks: each 4 bytes expand to 128 KiB. Says `claim` as its content size; no true checksum. */
export function runLengthFrame(blocks: number, claim: bigint, windowDescriptor = 0x68): Buffer {
	const header = Buffer.alloc(14);
	header.writeUInt32LE(0xfd2fb528, 0);
	header[4] = 0xc4;
	header[5] = windowDescriptor;
	header.writeBigUInt64LE(claim, 6);
	const block = (last: boolean): Buffer => {
		const bytes = Buffer.alloc(4);
		bytes.writeUIntLE(((128 * 1024) << 3) | (1 << 1) | (last ? 1 : 0), 0, 3);
		return bytes;
	};
	const body = Array.from({ length: blocks }, (_, i) => block(i === blocks - 1));
	return Buffer.concat([header, ...body, Buffer.alloc(4)]);
}
