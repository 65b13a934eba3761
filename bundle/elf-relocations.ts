// Where a loader will change a program's instructions: ELF relocations and CO-RE records. Applies none of them.
import { type ElfFile, type ElfSection, type ElfSymbol, elfInvalid, SHT, stringAt } from "./elf-file.ts";

const REL_BYTES = 16;
const BTF_MAGIC = 0xeb9f;
const BTF_HEADER = 24;
/** Up to core_relo_len (Documentation/bpf/btf.rst, ".BTF.ext section"); shorter headers have no CO-RE records. */
const BTF_EXT_CORE_HEADER = 32;

export interface Relocation {
	/** Of the instruction that gets changed, in bytes inside its section. */
	readonly offset: number;
	/** What an ELF relocation points to; undefined for a CO-RE record. */
	readonly symbol: ElfSymbol | undefined;
}

/** By section name, sorted by offset. */
export type Relocations = ReadonlyMap<string, readonly Relocation[]>;

/** Relocations of both sources; BUNDLE_ELF_INVALID for tables that do not fit their sections. */
export function readRelocations(elf: ElfFile): Relocations {
	const found = new Map<string, Relocation[]>();
	const add = (section: string, offset: number, symbol?: ElfSymbol): void => {
		const there = found.get(section) ?? [];
		there.push({ offset, symbol });
		found.set(section, there);
	};
	for (const section of elf.sections) {
		if (section.type === SHT.RELA) throw elfInvalid("has RELA relocations, which BPF does not use");
		if (section.type === SHT.REL) readRel(elf, section, add);
	}
	readCoreRelocations(elf, add);
	for (const list of found.values()) list.sort((a, b) => a.offset - b.offset);
	return found;
}

type Add = (section: string, offset: number, symbol?: ElfSymbol) => void;

function readRel(elf: ElfFile, section: ElfSection, add: Add): void {
	const target = elf.sections[section.info];
	if (target === undefined || section.size % REL_BYTES !== 0)
		throw elfInvalid("has a malformed relocation table");
	for (let at = 0; at < section.size; at += REL_BYTES) {
		const offset = section.bytes.readBigUInt64LE(at);
		if (offset >= BigInt(target.size)) throw elfInvalid("has a relocation outside its section");
		const symbol = elf.symbols[section.bytes.readUInt32LE(at + 12)];
		if (symbol === undefined) throw elfInvalid("has a relocation without a symbol");
		add(target.name, Number(offset), symbol);
	}
}
function part(bytes: Buffer, start: number, length: number, what: string): Buffer {
	if (start + length > bytes.length) throw elfInvalid(`has ${what} that ends too early`);
	return bytes.subarray(start, start + length);
}

function btfStrings(elf: ElfFile): Buffer {
	const btf = elf.sections.find((section) => section.name === ".BTF")?.bytes;
	if (btf === undefined) throw elfInvalid("has .BTF.ext without .BTF");
	const header = part(btf, 0, BTF_HEADER, ".BTF");
	if (header.readUInt16LE(0) !== BTF_MAGIC) throw elfInvalid("has .BTF of unknown form");
	return part(btf, header.readUInt32LE(4) + header.readUInt32LE(16), header.readUInt32LE(20), ".BTF");
}

function readCoreRelocations(elf: ElfFile, add: Add): void {
	const ext = elf.sections.find((section) => section.name === ".BTF.ext")?.bytes;
	if (ext === undefined) return;
	const first = part(ext, 0, 8, ".BTF.ext");
	if (first.readUInt16LE(0) !== BTF_MAGIC) throw elfInvalid("has .BTF.ext of unknown form");
	const headerBytes = first.readUInt32LE(4);
	if (headerBytes < BTF_EXT_CORE_HEADER) return;
	const header = part(ext, 0, BTF_EXT_CORE_HEADER, ".BTF.ext");
	const length = header.readUInt32LE(28);
	if (length === 0) return;
	readCoreTable(part(ext, headerBytes + header.readUInt32LE(24), length, ".BTF.ext"), btfStrings(elf), add);
}

/** u32 record size, then per section: u32 name, u32 count, records that begin with the u32 instruction offset. */
function readCoreTable(table: Buffer, strings: Buffer, add: Add): void {
	const recordBytes = part(table, 0, 4, ".BTF.ext").readUInt32LE(0);
	if (recordBytes < 16 || recordBytes > 256) throw elfInvalid("has CO-RE records of unknown size");
	let at = 4;
	while (at < table.length) {
		const head = part(table, at, 8, ".BTF.ext");
		const section = stringAt(strings, head.readUInt32LE(0));
		const count = head.readUInt32LE(4);
		const records = part(table, at + 8, count * recordBytes, ".BTF.ext");
		for (let i = 0; i < count; i++) add(section, records.readUInt32LE(i * recordBytes));
		at += 8 + records.length;
	}
}
