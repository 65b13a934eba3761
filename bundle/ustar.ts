// One spelling of tar: ustar headers as kfn writes them (POSIX.1-2017, pax, "ustar Interchange Format").
// Refuses every field, order and padding that the writer below would not produce.
import { BundleError } from "./errors.ts";
import { checkPath } from "./path.ts";
import { plain } from "./plain.ts";

export const BLOCK = 512;
const MODE = "0000644\0";
const ZERO = "0000000\0";

const KINDS: Readonly<Record<string, string>> = {
	"1": "a hard link",
	"2": "a symbolic link",
	"3": "a character device",
	"4": "a block device",
	"5": "a folder",
	"6": "a named pipe",
	"7": "a contiguous file",
	"\0": "a file of the old tar format",
	x: "a pax header",
	g: "a global pax header",
	L: "a GNU long name",
	K: "a GNU long link",
	S: "a GNU sparse file",
};

/** Fields that must read exactly so, by offset; name, size and checksum are the entry's own. */
const FIXED: readonly (readonly [name: string, offset: number, bytes: string])[] = [
	["mode", 100, MODE],
	["uid", 108, ZERO],
	["gid", 116, ZERO],
	["mtime", 136, "00000000000\0"],
	["linkname", 157, "\0".repeat(100)],
	["magic", 257, "ustar\0"],
	["version", 263, "00"],
	["uname", 265, "\0".repeat(32)],
	["gname", 297, "\0".repeat(32)],
	["devmajor", 329, ZERO],
	["devminor", 337, ZERO],
	["prefix", 345, "\0".repeat(155)],
	["padding", 500, "\0".repeat(12)],
];

export interface UstarHeader {
	readonly path: string;
	readonly size: number;
}

function checksumOf(block: Buffer): number {
	let sum = 0;
	for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : block[i]!;
	return sum;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");

/** Bytes of padding after `size` bytes of content. */
export function paddingOf(size: number): number {
	return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** The header of a regular file: mode 0644, everything else zero or empty. Expects a checked path and size. */
export function encodeHeader(header: UstarHeader): Buffer {
	const block = Buffer.alloc(BLOCK);
	block.write(header.path, 0, 100, "latin1");
	block.write(`${octal(header.size, 11)}\0`, 124, "latin1");
	block.write("0", 156, "latin1");
	for (const [, offset, bytes] of FIXED) block.write(bytes, offset, "latin1");
	block.write(`${octal(checksumOf(block), 6)}\0 `, 148, "latin1");
	return block;
}

function textAt(block: Buffer, offset: number, length: number): string {
	const field = block.subarray(offset, offset + length);
	const end = field.indexOf(0);
	return field.toString("latin1", 0, end === -1 ? length : end);
}

/** The path as a lenient tar would unpack it: an escape through the prefix must be called an escape. */
function pathOf(block: Buffer): string {
	const prefix = textAt(block, 345, 155);
	const name = textAt(block, 0, 100);
	return prefix === "" ? name : `${prefix}/${name}`;
}

function checkKind(block: Buffer, path: string): void {
	const flag = block.toString("latin1", 156, 157);
	if (flag === "0") return;
	const kind = KINDS[flag] ?? `of unknown type ${block[156]}`;
	throw new BundleError("BUNDLE_SYMLINK", `"${plain(path)}" is ${kind}, not a regular file`, {
		details: { path: plain(path), kind },
	});
}

function notOurs(path: string, field: string): never {
	throw new BundleError(
		"BUNDLE_NOT_DETERMINISTIC",
		`the tar field ${field} of "${plain(path)}" is not as kfn writes it`,
		{
			hint: "Make bundles with `kfn build`, not with tar.",
			details: { path: plain(path), field },
		},
	);
}

/**
 * Reads one 512-byte header. BUNDLE_CORRUPT (checksum), BUNDLE_SYMLINK (its kind is in the message),
 * BUNDLE_PATH_ESCAPE, BUNDLE_PATH_INVALID, BUNDLE_NOT_DETERMINISTIC (details.field).
 */
export function decodeHeader(block: Buffer): UstarHeader {
	const path = pathOf(block);
	const stored = /^([0-7]{6})\0 $/.exec(block.toString("latin1", 148, 156));
	if (stored !== null && Number.parseInt(stored[1]!, 8) !== checksumOf(block)) {
		throw new BundleError("BUNDLE_CORRUPT", `the checksum of the tar header "${plain(path)}" is wrong`);
	}
	checkKind(block, path);
	checkPath(path);
	const digits = /^([0-7]{11})\0$/.exec(block.toString("latin1", 124, 136));
	if (digits === null) notOurs(path, "size");
	const header = { path, size: Number.parseInt(digits[1]!, 8) };
	for (const [field, offset, bytes] of FIXED) {
		if (block.toString("latin1", offset, offset + bytes.length) !== bytes) notOurs(path, field);
	}
	// Whatever is left, such as bytes after the name's NUL.
	if (!encodeHeader(header).equals(block)) notOurs(path, stored === null ? "checksum" : "name");
	return header;
}
