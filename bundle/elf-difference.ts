// Whether two BPF objects are the same but for their DWARF, which names the compiler's packager and holds no behaviour.
// Gives the first part that differs; refuses to overlook a part because it knows no use of it.

import { type ElfSection, readElfFile } from "./elf-file.ts";

const DWARF = /^(\.rel)?\.debug_/;
/** Fields of the ELF header; e_shoff moves with the size of the DWARF before it. */
const SECTION_HEADERS_AT = { start: 40, end: 48 };
const HEADER_BYTES = 64;

/** A part of an object by its name, and how many bytes each side has of it; null where a side lacks it. */
export interface ObjectDifference {
	readonly part: string;
	readonly bytes: readonly [number | null, number | null];
}

/**
 * The first difference in: the ELF header; the sections, in their order, with type, flags, address, link, info, alignment,
 * entry size, size and bytes; bytes that are in no section. Of `.debug_*` and `.rel.debug_*` only that they are there, and
 * where in the order, is compared. BUNDLE_ELF_INVALID.
 */
export function objectDifference(a: Uint8Array, b: Uint8Array): ObjectDifference | undefined {
	const [left, right] = [describe(a), describe(b)];
	for (let i = 0; i < Math.max(left.length, right.length); i++) {
		const [one, other] = [left[i], right[i]];
		if (one !== undefined && other !== undefined && isSame(one, other)) continue;
		const part = (one ?? other)!.name;
		return { part, bytes: [one?.bytes.length ?? null, other?.bytes.length ?? null] };
	}
	return undefined;
}

interface Part {
	readonly name: string;
	/** What the section header says, without where its name and its bytes are. */
	readonly header: Buffer;
	readonly bytes: Buffer;
}

function isSame(a: Part, b: Part): boolean {
	return a.name === b.name && a.header.equals(b.header) && a.bytes.equals(b.bytes);
}

function describe(object: Uint8Array): Part[] {
	const file = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
	const { sections } = readElfFile(file);
	const header = Buffer.from(file.subarray(0, HEADER_BYTES));
	header.fill(0, SECTION_HEADERS_AT.start, SECTION_HEADERS_AT.end);
	const none = Buffer.alloc(0);
	return [
		{ name: "ELF header", header, bytes: none },
		...sections.map((section) => describeSection(file, section)),
		{ name: "bytes outside of sections", header: none, bytes: unclaimed(file, sections) },
	];
}

function describeSection(file: Buffer, section: ElfSection): Part {
	const { bytes } = section;
	const name = `section ${section.index === 0 ? "0" : section.name}`;
	const header = Buffer.from(headerOf(file, section.index));
	header.fill(0, 0, 4); // sh_name, an offset; the name itself is compared
	header.fill(0, 24, 32); // sh_offset
	if (!DWARF.test(section.name)) return { name, header, bytes };
	header.fill(0, 32, 40); // sh_size
	return { name, header, bytes: Buffer.alloc(0) };
}

function headerOf(file: Buffer, index: number): Buffer {
	const at = Number(file.readBigUInt64LE(SECTION_HEADERS_AT.start)) + index * HEADER_BYTES;
	return file.subarray(at, at + HEADER_BYTES);
}

/** Everything but padding that no section and no header claims, in its order: as much could be hidden there as anywhere. */
function unclaimed(file: Buffer, sections: readonly ElfSection[]): Buffer {
	const free = Buffer.from(file);
	const claim = (start: number, length: number): Buffer => free.fill(0, start, start + length);
	claim(0, HEADER_BYTES);
	for (const { bytes } of sections) claim(bytes.byteOffset - file.byteOffset, bytes.length);
	claim(Number(file.readBigUInt64LE(SECTION_HEADERS_AT.start)), sections.length * HEADER_BYTES);
	return Buffer.from(free.filter((byte) => byte !== 0));
}
