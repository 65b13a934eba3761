// What kfn wants to know of a BPF object: programs, maps, license, note. Loads nothing and trusts no field.
import {
	type ElfFile,
	type ElfSection,
	elfInvalid,
	readElfFile,
	SHF_EXECINSTR,
	SHT,
	STT_FUNC,
} from "./elf-file.ts";
import { type Relocations, readRelocations } from "./elf-relocations.ts";
import { NOTE_SECTION, readNoteSection } from "./note.ts";
import { plain } from "./plain.ts";

const INSN_BYTES = 8;
/** Subprograms live here; libbpf appends them to the programs that call them. */
const SUBPROGRAMS = ".text";
const MAPS = ".maps";
const DATA = /^\.(data|rodata|bss|kconfig)(\.|$)/;

export interface ElfProgram {
	readonly name: string;
	readonly section: string;
	/** The instruction bytes as they stand in the object, 8 bytes each. */
	readonly insns: Uint8Array;
	/** How many ELF and CO-RE relocations touch them; 0 means that the kernel gets exactly `insns`. */
	readonly relocations: number;
}

export interface ElfObject {
	readonly sections: readonly ElfSection[];
	/** Programs that can be loaded, by section, then by offset. */
	readonly programs: readonly ElfProgram[];
	/** Names of the maps in `.maps`, and of the data sections that libbpf turns into maps. */
	readonly maps: readonly string[];
	readonly license: string | undefined;
	/** The text of `.note.kfn`, unparsed. */
	readonly note: string | undefined;
}

/**
 * Reads an ELF64-LE EM_BPF relocatable object as libbpf would: a program is a non-local function symbol in an
 * executable section other than `.text`. BUNDLE_ELF_INVALID, BUNDLE_NOTE_INVALID.
 */
export function readElf(bytes: Uint8Array): ElfObject {
	const elf = readElfFile(bytes);
	const relocations = readRelocations(elf);
	const code = elf.sections.filter(
		(section) => section.type === SHT.PROGBITS && (section.flags & SHF_EXECINSTR) !== 0 && section.size > 0,
	);
	return {
		sections: elf.sections,
		programs: code
			.filter((section) => section.name !== SUBPROGRAMS)
			.flatMap((section) => programsOf(elf, section, relocations)),
		maps: mapsOf(elf),
		license: licenseOf(elf),
		note: noteOf(elf),
	};
}

function programsOf(elf: ElfFile, section: ElfSection, relocations: Relocations): ElfProgram[] {
	const symbols = elf.symbols
		.filter((symbol) => symbol.kind === STT_FUNC && symbol.section === section.index)
		.sort((a, b) => a.value - b.value);
	const touched = (relocations.get(section.name) ?? []).toSorted((a, b) => a - b);
	let end = 0;
	let counted = 0;
	const programs = symbols.map((symbol) => {
		const { name, value, size, isLocal } = symbol;
		const shown = `program "${plain(name)}"`;
		if (isLocal) throw elfInvalid(`has the static ${shown}, which libbpf does not load`);
		if (size === 0 || size % INSN_BYTES !== 0) throw elfInvalid(`has ${shown} of ${size} bytes`);
		// A gap or an overlap would be code that no digest or two digests cover.
		if (value !== end) throw elfInvalid(`has ${shown} at ${value}, where ${end} was expected`);
		end = value + size;
		if (end > section.size) throw elfInvalid(`has ${shown} reaching out of its section`);
		// Programs follow each other, so one walk serves all: a count per program would be quadratic.
		const first = counted;
		while (counted < touched.length && touched[counted]! < end) counted++;
		return {
			name,
			section: section.name,
			insns: section.bytes.subarray(value, end),
			relocations: counted - first,
		};
	});
	if (end !== section.size) throw elfInvalid(`has code outside programs in "${plain(section.name)}"`);
	return programs;
}

function mapsOf(elf: ElfFile): string[] {
	const maps = elf.sections.find((section) => section.name === MAPS);
	const named = elf.symbols.filter(
		(symbol) => symbol.section === maps?.index && symbol.name !== "" && symbol.size > 0,
	);
	const data = elf.sections.filter((section) => DATA.test(section.name) && section.size > 0);
	return [...named.map((symbol) => symbol.name), ...data.map((section) => section.name)].sort();
}

function licenseOf(elf: ElfFile): string | undefined {
	const bytes = elf.sections.find((section) => section.name === "license")?.bytes;
	if (bytes === undefined) return undefined;
	// libbpf copies up to 64 bytes and reads to the first NUL: a second text behind it would be invisible.
	const end = bytes.indexOf(0);
	if (end === -1 || end !== bytes.length - 1 || bytes.length > 64)
		throw elfInvalid("has a malformed license section");
	return bytes.toString("latin1", 0, end);
}

function noteOf(elf: ElfFile): string | undefined {
	const section = elf.sections.find((candidate) => candidate.name === NOTE_SECTION);
	if (section === undefined) return undefined;
	if (section.type !== SHT.NOTE) throw elfInvalid(`has a ${NOTE_SECTION} that is not a note`);
	return readNoteSection(section.bytes);
}
