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
import { INSN_BYTES, type LinkedProgram, linkerOf, SUBPROGRAMS } from "./elf-link.ts";
import { type ElfMap, readMaps } from "./elf-maps.ts";
import { readRelocations } from "./elf-relocations.ts";
import { NOTE_SECTION, readNoteSection } from "./note.ts";
import { plain } from "./plain.ts";

const DATA = /^\.(data|rodata|bss|kconfig)(\.|$)/;

/** A program with the subprograms behind it: what the kernel gets, but for the maps' places and CO-RE's. */
export interface ElfProgram extends LinkedProgram {
	readonly name: string;
	readonly section: string;
}

export interface ElfObject {
	readonly sections: readonly ElfSection[];
	/** Programs that can be loaded, by section, then by offset. */
	readonly programs: readonly ElfProgram[];
	/** Sorted by name. */
	readonly maps: readonly ElfMap[];
	/** Data sections, which libbpf turns into maps with contents; sorted. */
	readonly data: readonly string[];
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
	const link = linkerOf(elf, readRelocations(elf));
	const code = elf.sections.filter(
		(section) => section.type === SHT.PROGBITS && (section.flags & SHF_EXECINSTR) !== 0 && section.size > 0,
	);
	return {
		sections: elf.sections,
		programs: code
			.filter((section) => section.name !== SUBPROGRAMS)
			.flatMap((section) => programsOf(elf, section, link)),
		maps: readMaps(elf),
		data: elf.sections
			.filter((section) => DATA.test(section.name) && section.size > 0)
			.map((section) => section.name)
			.sort(),
		license: licenseOf(elf),
		note: noteOf(elf),
	};
}

function programsOf(elf: ElfFile, section: ElfSection, link: ReturnType<typeof linkerOf>): ElfProgram[] {
	const symbols = elf.symbols
		.filter((symbol) => symbol.kind === STT_FUNC && symbol.section === section.index)
		.sort((a, b) => a.value - b.value);
	let end = 0;
	const programs = symbols.map((symbol) => {
		const { name, value, size, isLocal } = symbol;
		const shown = `program "${plain(name)}"`;
		if (isLocal) throw elfInvalid(`has the static ${shown}, which libbpf does not load`);
		if (size === 0 || size % INSN_BYTES !== 0) throw elfInvalid(`has ${shown} of ${size} bytes`);
		// A gap or an overlap would be code that no digest or two digests cover.
		if (value !== end) throw elfInvalid(`has ${shown} at ${value}, where ${end} was expected`);
		end = value + size;
		if (end > section.size) throw elfInvalid(`has ${shown} reaching out of its section`);
		return { name, section: section.name, ...link({ section, start: value, size }) };
	});
	if (end !== section.size) throw elfInvalid(`has code outside programs in "${plain(section.name)}"`);
	return programs;
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
