// Holds objects against the manifest: programs, digests, note, license, maps. Either the two say the same or the bundle is refused.

import { configMismatch } from "./config-immediates.ts";
import { sha256 } from "./digest.ts";
import { type ElfObject, type ElfProgram, readElf } from "./elf.ts";
import { BundleError } from "./errors.ts";
import { checkObjectLicence } from "./licence.ts";
import type { Manifest, Program, Variant } from "./manifest-shape.ts";
import { formatNote, parseNote } from "./note.ts";
import { plain } from "./plain.ts";
import { programKind } from "./program-type.ts";

const INSN_BYTES = 8;

function mismatch(object: string, what: string, details: Record<string, unknown> = {}): never {
	throw new BundleError("BUNDLE_ELF_MISMATCH", `${object}: ${what}`, { details: { object, ...details } });
}

/** Adds the object's path to what the ELF reader says. */
function open(object: string, bytes: Uint8Array | undefined): ElfObject {
	if (bytes === undefined) {
		throw new BundleError("BUNDLE_MISSING_ENTRY", `${object} is not there`, { details: { path: object } });
	}
	try {
		return readElf(bytes);
	} catch (cause) {
		if (!(cause instanceof BundleError)) throw cause;
		throw new BundleError(cause.code, `${object}: ${cause.message}`, {
			cause,
			details: { object, ...cause.details },
			...(cause.hint === undefined ? {} : { hint: cause.hint }),
		});
	}
}

function describe(object: string, program: ElfProgram): Program {
	const kind = programKind(program.section);
	if (kind === undefined) mismatch(object, `kfn has no hook for the section "${plain(program.section)}"`);
	return {
		name: program.name,
		section: program.section,
		type: kind.type,
		hook: kind.hook,
		insns: program.insns.length / INSN_BYTES,
		insnsDigest: program.relocations === 0 ? sha256(program.insns) : null,
	};
}

/** The programs of an object as the manifest must name them. BUNDLE_ELF_INVALID, BUNDLE_ELF_MISMATCH. */
export function programsOf(object: string, bytes: Uint8Array | undefined): Program[] {
	return open(object, bytes).programs.map((program) => describe(object, program));
}

function checkPrograms(variant: Variant, elf: ElfObject): void {
	const found = elf.programs.map((program) => describe(variant.object, program));
	if (found.length !== variant.programs.length) {
		mismatch(
			variant.object,
			`it has ${found.length} programs, the manifest names ${variant.programs.length}`,
		);
	}
	for (const [i, said] of variant.programs.entries()) {
		const real = found[i]!;
		const field = (Object.keys(real) as (keyof Program)[]).find((key) => real[key] !== said[key]);
		if (field === undefined) continue;
		mismatch(
			variant.object,
			`program ${i} has ${field} ${plain(String(real[field]))}, the manifest says ${plain(String(said[field]))}`,
			{ program: said.name, field },
		);
	}
}

function checkConfig(manifest: Manifest, variant: Variant, elf: ElfObject): void {
	for (const program of elf.programs) {
		const what = configMismatch(program.insns, manifest.config);
		if (what !== undefined) mismatch(variant.object, what, { program: program.name, field: "config" });
	}
}

function checkNote(manifest: Manifest, variant: Variant, elf: ElfObject): void {
	if (elf.note === undefined) mismatch(variant.object, "it has no .note.kfn");
	parseNote(elf.note);
	const expected = formatNote(manifest.function, variant.requires);
	if (elf.note === expected) return;
	const said = expected.split("\n");
	const real = elf.note.split("\n");
	const line = real.findIndex((text, i) => text !== said[i]);
	mismatch(
		variant.object,
		`its note says "${plain(real[line] ?? "")}", the manifest "${plain(said[line] ?? "")}"`,
		{
			field: "note",
		},
	);
}

/** Demands that each variant's object and the manifest agree. BUNDLE_ELF_*, BUNDLE_NOTE_INVALID, BUNDLE_LICENCE_MISMATCH. */
export function checkObjects(manifest: Manifest, files: ReadonlyMap<string, Uint8Array>): void {
	for (const variant of manifest.variants) {
		const elf = open(variant.object, files.get(variant.object));
		checkPrograms(variant, elf);
		checkConfig(manifest, variant, elf);
		checkNote(manifest, variant, elf);
		checkObjectLicence(manifest.license, variant.object, elf.license);
		const lost = manifest.state.find((state) => !elf.maps.includes(state.map));
		if (lost !== undefined) mismatch(variant.object, `it has no map "${lost.map}", which state names`);
	}
}
