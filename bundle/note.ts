// The `.note.kfn` text and its ELF note: a bundle's requirements inside the object (docs/formats/elf-note.md).
import { BundleError } from "./errors.ts";
import type { FunctionId, Requires } from "./manifest-shape.ts";

export const NOTE_SECTION = ".note.kfn";
/** n_type of the only note that kfn defines. */
export const NOTE_TYPE = 1;
const OWNER = "kfn\0";
const HEADER = 16;
const LONGEST = 4096;

export interface NoteFacts {
	readonly function: { readonly name: string; readonly abi: number };
	readonly requires: Requires;
}

/** The note's text: `function=`, `abi=`, `kernel=`, then one `feature=` line each, sorted; every line ends in a line feed. */
export function formatNote(id: FunctionId | NoteFacts["function"], requires: Requires): string {
	const features = requires.features.toSorted().map((feature) => `feature=${feature}\n`);
	return `function=${id.name}\nabi=${id.abi}\nkernel=${requires.kernel}\n${features.join("")}`;
}

/** Reads a note's text; BUNDLE_NOTE_INVALID unless it is exactly what `formatNote` writes. */
export function parseNote(text: string): NoteFacts {
	const match = /^function=([^\n]*)\nabi=([1-9][0-9]{0,4})\nkernel=([^\n]*)\n((?:feature=[^\n]*\n)*)$/.exec(
		text,
	);
	if (match === null) throw invalid("is not function=, abi=, kernel= and feature= lines in this order");
	const features = match[4]!.split("\n").slice(0, -1);
	const facts: NoteFacts = {
		function: { name: match[1]!, abi: Number(match[2]) },
		requires: { kernel: match[3]!, features: features.map((line) => line.slice("feature=".length)) },
	};
	if (formatNote(facts.function, facts.requires) !== text) throw invalid("has features out of order");
	return facts;
}

/**
 * Reads the section's bytes (ELF64-LE note: namesz 4, descsz, type 1, "kfn\0", NUL-padded ASCII) and gives the text.
 * BUNDLE_NOTE_INVALID for another owner or type, a second note, bytes after the text that are not NUL, or over 4096 bytes.
 */
export function readNoteSection(section: Uint8Array): string {
	const bytes = Buffer.from(section.buffer, section.byteOffset, section.byteLength);
	if (bytes.length < HEADER || bytes.length > HEADER + LONGEST) throw invalid(`has ${bytes.length} bytes`);
	const descsz = bytes.readUInt32LE(4);
	if (bytes.readUInt32LE(0) !== 4 || bytes.toString("latin1", 12, 16) !== OWNER)
		throw invalid("has another owner");
	if (bytes.readUInt32LE(8) !== NOTE_TYPE) throw invalid(`has type ${bytes.readUInt32LE(8)}`);
	if (HEADER + descsz > bytes.length) throw invalid("ends inside its text");
	if (HEADER + Math.ceil(descsz / 4) * 4 < bytes.length) throw invalid("is followed by other bytes");
	const end = bytes.indexOf(0, HEADER);
	const text = bytes.subarray(HEADER, end === -1 ? HEADER + descsz : end);
	const after = bytes.subarray(HEADER + text.length);
	if (!after.every((byte) => byte === 0)) throw invalid("has text after a NUL");
	if (!text.every((byte) => byte === 0x0a || (byte >= 0x20 && byte < 0x7f))) throw invalid("is not ASCII");
	return text.toString("latin1");
}

/** The section's bytes for a text, padded with NUL to a multiple of four. */
export function encodeNoteSection(text: string): Uint8Array {
	const desc = Buffer.from(text, "latin1");
	const bytes = Buffer.alloc(HEADER + Math.ceil(desc.length / 4) * 4);
	bytes.writeUInt32LE(4, 0);
	bytes.writeUInt32LE(bytes.length - HEADER, 4);
	bytes.writeUInt32LE(NOTE_TYPE, 8);
	bytes.write(OWNER, 12, "latin1");
	desc.copy(bytes, HEADER);
	return bytes;
}

function invalid(why: string): BundleError {
	return new BundleError("BUNDLE_NOTE_INVALID", `the note ${NOTE_SECTION} ${why}`, {
		hint: "Write it with the macro KFN_NOTE of <kfn/note.h>.",
	});
}
