// The raw parts of an ELF64-LE relocatable BPF object: sections, strings, symbols (ELF gABI 4.1, machine 247).
// Refuses everything that points outside the file. Gives no meaning to any section.
import { BundleError } from "./errors.ts";
import { plain } from "./plain.ts";

export const SHT = {
	NULL: 0,
	PROGBITS: 1,
	SYMTAB: 2,
	STRTAB: 3,
	RELA: 4,
	NOTE: 7,
	NOBITS: 8,
	REL: 9,
} as const;
export const SHF_EXECINSTR = 4;
export const STT_FUNC = 2;
const EHDR_BYTES = 64;
const SHDR_BYTES = 64;
const SYM_BYTES = 24;
const EM_BPF = 247;
const ET_REL = 1;
const MOST_SECTIONS = 1024;
const MOST_SYMBOLS = 65536;
const LONGEST_NAME = 1024;
const IDENT = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);

export interface ElfSection {
	readonly index: number;
	readonly name: string;
	readonly type: number;
	readonly flags: number;
	/** Empty for a section without bytes in the file (SHT_NOBITS). */
	readonly bytes: Buffer;
	/** In bytes; for SHT_NOBITS what it takes in memory. */
	readonly size: number;
	readonly link: number;
	readonly info: number;
}

export interface ElfSymbol {
	readonly name: string;
	readonly kind: number;
	readonly isLocal: boolean;
	/** Section index; above the section count for the reserved ones. */
	readonly section: number;
	readonly value: number;
	readonly size: number;
}

export interface ElfFile {
	readonly sections: readonly ElfSection[];
	readonly symbols: readonly ElfSymbol[];
}

export function elfInvalid(why: string): BundleError {
	return new BundleError("BUNDLE_ELF_INVALID", `the object ${why}`);
}

/** A 64-bit field that counts or points into a file of at most 16 MiB. */
function wide(bytes: Buffer, offset: number): number {
	const value = bytes.readBigUInt64LE(offset);
	if (value > 0xffffffffn) throw elfInvalid(`holds the impossible value ${value}`);
	return Number(value);
}

/** The NUL-terminated text at an offset of a string table. */
export function stringAt(table: Buffer, offset: number): string {
	// Bounded: 65,536 symbols that share one name of 16 MiB would otherwise be copied 65,536 times.
	const name = table.subarray(offset, offset + LONGEST_NAME + 1);
	const end = name.indexOf(0);
	if (end === -1) throw elfInvalid(`has a name outside its string table or over ${LONGEST_NAME} bytes`);
	return name.toString("latin1", 0, end);
}

function checkHeader(bytes: Buffer): void {
	if (bytes.length < EHDR_BYTES) throw elfInvalid(`has only ${bytes.length} bytes`);
	if (!bytes.subarray(0, IDENT.length).equals(IDENT)) throw elfInvalid("is not 64-bit little-endian ELF");
	if (bytes.readUInt16LE(16) !== ET_REL) throw elfInvalid("is not a relocatable file");
	if (bytes.readUInt16LE(18) !== EM_BPF)
		throw elfInvalid(`is for machine ${bytes.readUInt16LE(18)}, not BPF`);
	if (bytes.readUInt32LE(20) !== 1) throw elfInvalid("has an unknown ELF version");
	if (bytes.readUInt16LE(52) !== EHDR_BYTES) throw elfInvalid("has an ELF header of unknown size");
	if (bytes.readUInt16LE(56) !== 0) throw elfInvalid("has program headers");
	if (bytes.readUInt16LE(58) !== SHDR_BYTES) throw elfInvalid("has section headers of unknown size");
}

function sectionAt(bytes: Buffer, at: number, index: number): ElfSection & { nameOffset: number } {
	const header = bytes.subarray(at, at + SHDR_BYTES);
	const type = header.readUInt32LE(4);
	const offset = wide(header, 24);
	const size = wide(header, 32);
	const inFile = type !== SHT.NOBITS && type !== SHT.NULL;
	if (inFile && offset + size > bytes.length) throw elfInvalid(`has section ${index} outside the file`);
	return {
		index,
		name: "",
		nameOffset: header.readUInt32LE(0),
		type,
		flags: wide(header, 8),
		bytes: inFile ? bytes.subarray(offset, offset + size) : bytes.subarray(0, 0),
		size,
		link: header.readUInt32LE(40),
		info: header.readUInt32LE(44),
	};
}

function readSections(bytes: Buffer): ElfSection[] {
	const start = wide(bytes, 40);
	const count = bytes.readUInt16LE(60);
	const namesAt = bytes.readUInt16LE(62);
	if (count < 2 || count > MOST_SECTIONS) throw elfInvalid(`has ${count} sections`);
	if (start + count * SHDR_BYTES > bytes.length) throw elfInvalid("has its section headers outside the file");
	const raw = Array.from({ length: count }, (_, i) => sectionAt(bytes, start + i * SHDR_BYTES, i));
	const names = raw[namesAt];
	if (names?.type !== SHT.STRTAB) throw elfInvalid("has no section name table");
	if (raw[0]?.type !== SHT.NULL) throw elfInvalid("does not begin with the null section");
	const seen = new Set<string>();
	return raw.map(({ nameOffset, ...section }) => {
		const name = section.index === 0 ? "" : stringAt(names.bytes, nameOffset);
		// libbpf takes one section of a name; which one must not be a matter of taste.
		if (seen.has(name)) throw elfInvalid(`has two sections "${plain(name)}"`);
		seen.add(name);
		return { ...section, name };
	});
}

function readSymbols(sections: readonly ElfSection[]): ElfSymbol[] {
	const tables = sections.filter((section) => section.type === SHT.SYMTAB);
	const [table] = tables;
	if (table === undefined || tables.length > 1) throw elfInvalid(`has ${tables.length} symbol tables`);
	const names = sections[table.link];
	if (names?.type !== SHT.STRTAB) throw elfInvalid("has a symbol table without names");
	const count = table.size / SYM_BYTES;
	if (!Number.isInteger(count) || count > MOST_SYMBOLS) throw elfInvalid(`has ${count} symbols`);
	return Array.from({ length: count }, (_, i) => {
		const entry = table.bytes.subarray(i * SYM_BYTES, (i + 1) * SYM_BYTES);
		const info = entry[4]!;
		return {
			name: stringAt(names.bytes, entry.readUInt32LE(0)),
			kind: info & 15,
			isLocal: info >> 4 === 0,
			section: entry.readUInt16LE(6),
			value: wide(entry, 8),
			size: wide(entry, 16),
		};
	});
}

/** Reads sections and symbols; BUNDLE_ELF_INVALID for everything that is not a well-formed EM_BPF ET_REL file. */
export function readElfFile(object: Uint8Array): ElfFile {
	const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
	checkHeader(bytes);
	const sections = readSections(bytes);
	return { sections, symbols: readSymbols(sections) };
}
