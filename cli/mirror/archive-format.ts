// The one spelling of an export: ustar headers of regular files (POSIX.1-2017, pax), mode 0644 and zeros besides, and a pax
// header with the path alone where ustar has no room for it. The same tree gives the same bytes. Refuses nothing: the reader
// compares what it reads with what stands here.
import { Header, Pax } from "tar";

export const BLOCK = 512;
/** What ends a tar. */
export const END: Uint8Array = Buffer.alloc(2 * BLOCK);

/** Everything that stands before the file's bytes. */
export function encodeEntry(path: string, size: number): Uint8Array {
	const fields = { path, size, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), type: "File" } as const;
	const block = Buffer.alloc(BLOCK);
	const needsPax = new Header({ ...fields, linkpath: "", uname: "", gname: "", devmaj: 0, devmin: 0 }).encode(
		block,
	);
	return needsPax ? Buffer.concat([new Pax({ path }).encode(), block]) : block;
}

/** Bytes of zeros after `size` bytes of content. */
export function paddingOf(size: number): number {
	return (BLOCK - (size % BLOCK)) % BLOCK;
}
