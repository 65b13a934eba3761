// Puts a program together as libbpf does before it loads it: behind the program stand the subprograms that it reaches, calls
// and addresses of callbacks are the distances between them, and loads of a map name none. Refuses code that no symbol covers.

import { type ElfFile, type ElfSection, type ElfSymbol, elfInvalid, STT_FUNC } from "./elf-file.ts";
import type { Relocation, Relocations } from "./elf-relocations.ts";
import { plain } from "./plain.ts";

export const INSN_BYTES = 8;
/** Subprograms live here; libbpf appends them to the programs that reach them. */
export const SUBPROGRAMS = ".text";
export const MAPS = ".maps";
/** Bytes of instructions; the kernel takes a million of them (BPF_COMPLEXITY_LIMIT_INSNS) and 256 functions (BPF_MAX_SUBPROGS). */
const LARGEST = 16 * 1024 * 1024;
const MOST_SUBPROGRAMS = 255;
/** Of linux/bpf.h: instruction codes, and what the source register's field of an immediate load or a call says. */
const LOAD_IMMEDIATE = 0x18;
const CALL = 0x85;
const PSEUDO = { MAP_FD: 1, CALL: 1, FUNC: 4 } as const;

/**
 * What a program may name of the kernel: a cast of its context to the kernel's own packet, and the CPU's receive queue, which it can read
 * and nothing else. A closed list, as with hooks: a kernel has thousands of functions that programs may call.
 */
export const KERNEL_SYMBOLS: readonly string[] = ["bpf_cast_to_kern_ctx", "softnet_data"];
const UNDEFINED_SECTION = 0;

function isKernelSymbol({ section, name }: ElfSymbol): boolean {
	return section === UNDEFINED_SECTION && KERNEL_SYMBOLS.includes(name);
}

export interface LinkedProgram {
	/** The instructions, with every map's place zeroed, as the kernel hashes them for its tag. */
	readonly insns: Buffer;
	/** Names of the maps that it loads, sorted, each once. */
	readonly maps: readonly string[];
	/** How many ELF relocations went into it. */
	readonly linked: number;
	/** CO-RE records: libbpf changes these instructions by the running kernel's types. */
	readonly core: number;
	/** Symbols of the kernel that it names, sorted; their places are the running kernel's. */
	readonly symbols: readonly string[];
	/** What kfn has no meaning for: an extern, data, an address of something else. */
	readonly foreign: readonly string[];
}

/** A function's place in its section, in bytes. */
interface Code {
	readonly section: ElfSection;
	readonly start: number;
	readonly size: number;
}

class Linking {
	readonly maps = new Set<string>();
	readonly foreign = new Set<string>();
	readonly symbols = new Set<string>();
	linked = 0;
	core = 0;
	private readonly parts: Buffer[] = [];
	private size = 0;
	/** Where each subprogram went, by its start in .text. */
	private readonly places = new Map<number, number>();

	private readonly elf: ElfFile;
	private readonly relocations: Relocations;
	private readonly subprograms: ReadonlyMap<number, Code>;

	constructor(elf: ElfFile, relocations: Relocations, subprograms: ReadonlyMap<number, Code>) {
		this.elf = elf;
		this.relocations = relocations;
		this.subprograms = subprograms;
	}

	get insns(): Buffer {
		return Buffer.concat(this.parts);
	}

	/** Appends a function, then, in the order of its instructions, what it reaches and is not there yet (libbpf, bpf_object__reloc_code). */
	append(code: Code): void {
		const place = this.size;
		if (place + code.size > LARGEST)
			throw elfInvalid(`has a program of over ${LARGEST / INSN_BYTES} instructions`);
		const bytes = Buffer.from(code.section.bytes.subarray(code.start, code.start + code.size));
		this.parts.push(bytes);
		this.size += bytes.length;
		const touching = touchingOf(this.relocations, code);
		const relocations = symbolsOf(touching, code);
		this.core += touching.length - relocations.size;
		let used = 0;
		for (let at = 0; at < bytes.length; at += INSN_BYTES) {
			const relocation = relocations.get(at);
			const isWide = bytes[at] === LOAD_IMMEDIATE;
			if (isWide && at + 2 * INSN_BYTES > bytes.length)
				throw elfInvalid("has an immediate load that is cut off");
			if (relocation === undefined) this.resolve(bytes, at, place, code);
			else this.relocate(bytes, at, place, relocation);
			used += relocation === undefined ? 0 : 1;
			if (isWide) at += INSN_BYTES;
		}
		if (used !== relocations.size) throw elfInvalid("has a relocation inside an instruction");
	}

	/** Without a relocation, only a call inside .text needs anything. */
	private resolve(bytes: Buffer, at: number, place: number, code: Code): void {
		const source = bytes[at + 1]! >> 4;
		if (bytes[at] === LOAD_IMMEDIATE && source !== 0) {
			this.foreign.add("an address that no relocation gives");
			return;
		}
		if (bytes[at] !== CALL || source !== PSEUDO.CALL) return;
		if (code.section.name !== SUBPROGRAMS) throw elfInvalid("calls a function outside .text");
		this.point(bytes, at, place, code.start + at + (bytes.readInt32LE(at + 4) + 1) * INSN_BYTES);
	}

	private relocate(bytes: Buffer, at: number, place: number, symbol: ElfSymbol): void {
		this.linked++;
		const target = this.elf.sections[symbol.section];
		const value = bytes.readInt32LE(at + 4);
		const isCall = bytes[at] === CALL && bytes[at + 1]! >> 4 === PSEUDO.CALL;
		if (target?.name === SUBPROGRAMS && isCall) {
			// Of a global function the call holds -1; of a static one the relocation names the section, and the call its place.
			this.point(bytes, at, place, symbol.value + (value + 1) * INSN_BYTES);
		} else if (target?.name === SUBPROGRAMS && bytes[at] === LOAD_IMMEDIATE) {
			bytes[at + 1] = (bytes[at + 1]! & 15) | (PSEUDO.FUNC << 4);
			this.point(bytes, at, place, symbol.value + value);
		} else if (target?.name === MAPS && bytes[at] === LOAD_IMMEDIATE && symbol.name !== "") {
			bytes[at + 1] = (bytes[at + 1]! & 15) | (PSEUDO.MAP_FD << 4);
			bytes.writeInt32LE(0, at + 4);
			if (bytes.readBigInt64LE(at + INSN_BYTES) !== 0n)
				throw elfInvalid("has a map's address with an offset");
			this.maps.add(symbol.name);
		} else if (isKernelSymbol(symbol) && (bytes[at] === CALL || bytes[at] === LOAD_IMMEDIATE)) {
			this.symbols.add(symbol.name);
		} else {
			this.foreign.add(symbol.name === "" ? (target?.name ?? "something") : symbol.name);
		}
	}

	/** Writes the distance to the subprogram that starts at `start` of .text, appending it where it is not there yet. */
	private point(bytes: Buffer, at: number, place: number, start: number): void {
		let target = this.places.get(start);
		if (target === undefined) {
			const code = this.subprograms.get(start);
			if (code === undefined) throw elfInvalid(`calls ${start} of .text, where no function begins`);
			if (this.places.size === MOST_SUBPROGRAMS)
				throw elfInvalid(`reaches over ${MOST_SUBPROGRAMS} subprograms`);
			target = this.size;
			this.places.set(start, target);
			this.append(code);
		}
		bytes.writeInt32LE((target - (place + at)) / INSN_BYTES - 1, at + 4);
	}
}

/** The relocations of a function; by halves, as there may be as many functions as relocations. */
function touchingOf(all: Relocations, { section, start, size }: Code): readonly Relocation[] {
	const list = all.get(section.name) ?? [];
	const first = (offset: number): number => {
		let [low, high] = [0, list.length];
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (list[middle]!.offset < offset) low = middle + 1;
			else high = middle;
		}
		return low;
	};
	return list.slice(first(start), first(start + size));
}

/** ELF's relocations among them, by the place inside the function. */
function symbolsOf(touching: readonly Relocation[], { start }: Code): Map<number, ElfSymbol> {
	const found = new Map<number, ElfSymbol>();
	for (const { offset, symbol } of touching) {
		if (symbol === undefined) continue;
		if (found.has(offset - start)) throw elfInvalid("has two relocations of one instruction");
		found.set(offset - start, symbol);
	}
	return found;
}

function subprogramsOf(elf: ElfFile): Map<number, Code> {
	const section = elf.sections.find(({ name }) => name === SUBPROGRAMS);
	const found = new Map<number, Code>();
	for (const { name, kind, section: index, value, size } of elf.symbols) {
		if (section === undefined || kind !== STT_FUNC || index !== section.index) continue;
		if (size === 0 || size % INSN_BYTES !== 0 || value % INSN_BYTES !== 0 || value + size > section.size)
			throw elfInvalid(`has the subprogram "${plain(name)}" that is not whole instructions of .text`);
		found.set(value, { section, start: value, size });
	}
	return found;
}

/** Makes `link` for the programs of one object. BUNDLE_ELF_INVALID. */
export function linkerOf(elf: ElfFile, relocations: Relocations): (code: Code) => LinkedProgram {
	const subprograms = subprogramsOf(elf);
	let total = 0;
	return (code) => {
		const linking = new Linking(elf, relocations, subprograms);
		linking.append(code);
		const { insns, linked, core } = linking;
		const symbols = [...linking.symbols].sort();
		// Each program has its own copy of the subprograms: a small file could unfold to any size.
		total += insns.length;
		if (total > LARGEST)
			throw elfInvalid(`has programs of over ${LARGEST / INSN_BYTES} instructions together`);
		return {
			insns,
			linked,
			core,
			symbols,
			maps: [...linking.maps].sort(),
			foreign: [...linking.foreign].sort(),
		};
	};
}
