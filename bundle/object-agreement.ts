// Holds objects against the manifest: programs, digests, note, license, maps. Either the two say the same or the bundle is refused.

import { configMismatch } from "./config-immediates.ts";
import { sha256 } from "./digest.ts";
import { type ElfObject, type ElfProgram, readElf } from "./elf.ts";
import { BundleError } from "./errors.ts";
import { checkObjectLicence } from "./licence.ts";
import type { Manifest, MapRecord, Program, Variant } from "./manifest-shape.ts";
import { mapRecord } from "./map-rules.ts";
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
		insnsDigest: program.core === 0 && program.symbols.length === 0 ? sha256(program.insns) : null,
	};
}

/** The maps of an object. Data would be a map with contents, which no tag of the kernel covers; an extern is decided by the host. */
function describeMaps(object: string, elf: ElfObject): MapRecord[] {
	const [data] = elf.data;
	const [foreign] = elf.programs.flatMap((program) => program.foreign);
	const what =
		data !== undefined ? `data in ${plain(data)}` : foreign === undefined ? undefined : plain(foreign);
	if (what !== undefined) {
		throw new BundleError(
			"BUNDLE_MAP_UNSUPPORTED",
			`${object}: it needs ${what}, which a function may not have`,
			{
				hint: 'constants go into the code, and what changes into a map (docs/formats/bundle.md, "Maps")',
				details: { object, what },
			},
		);
	}
	const used = new Set(elf.programs.flatMap((program) => program.maps));
	const idle = elf.maps.find(({ name }) => !used.has(name));
	if (idle !== undefined) {
		throw new BundleError(
			"BUNDLE_MAP_UNSUPPORTED",
			`${object}: no program uses the map "${plain(idle.name)}"`,
			{
				details: { object, map: idle.name },
			},
		);
	}
	return elf.maps.map((map) => mapRecord(object, map));
}

/** The programs and maps of an object as the manifest must name them. BUNDLE_ELF_INVALID, BUNDLE_ELF_MISMATCH, BUNDLE_MAP_UNSUPPORTED. */
export function contentsOf(
	object: string,
	bytes: Uint8Array | undefined,
): Pick<Variant, "programs" | "maps"> {
	const elf = open(object, bytes);
	const maps = describeMaps(object, elf);
	return {
		programs: elf.programs.map((program) => describe(object, program)),
		...(maps.length === 0 ? {} : { maps }),
	};
}

function checkMaps(variant: Variant, elf: ElfObject): void {
	const [real, said] = [describeMaps(variant.object, elf), variant.maps ?? []];
	if (JSON.stringify(real) === JSON.stringify(said)) return;
	const differs = real.find((map, i) => JSON.stringify(map) !== JSON.stringify(said[i]));
	mismatch(
		variant.object,
		differs === undefined
			? `the manifest names a map that it does not have`
			: `the manifest does not say what its map "${differs.name}" is`,
		{ field: "maps" },
	);
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

/** What an object names of the kernel is what its variant asks of a host, both ways. */
function checkSymbols({ object, requires }: Variant, elf: ElfObject): void {
	const named = new Set(elf.programs.flatMap(({ symbols }) => symbols.map((name) => `ksym:${name}`)));
	const asked = requires.features.filter((feature) => feature.startsWith("ksym:"));
	const lacking = [...named].find((feature) => !asked.includes(feature));
	const idle = asked.find((feature) => !named.has(feature));
	if (lacking !== undefined)
		mismatch(object, `it needs "${lacking}", which requires.features lacks`, { field: "features" });
	if (idle !== undefined)
		mismatch(object, `requires.features has "${idle}", which it does not need`, { field: "features" });
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

/** Demands that each variant's object and the manifest agree. BUNDLE_ELF_*, BUNDLE_MAP_UNSUPPORTED, BUNDLE_NOTE_INVALID, BUNDLE_LICENCE_MISMATCH. */
export function checkObjects(manifest: Manifest, files: ReadonlyMap<string, Uint8Array>): void {
	for (const variant of manifest.variants) {
		const elf = open(variant.object, files.get(variant.object));
		checkPrograms(variant, elf);
		checkMaps(variant, elf);
		checkConfig(manifest, variant, elf);
		checkSymbols(variant, elf);
		checkNote(manifest, variant, elf);
		checkObjectLicence(manifest.license, variant.object, elf.license);
		const lost = manifest.state.find((state) => !elf.maps.some(({ name }) => name === state.map));
		if (lost !== undefined) mismatch(variant.object, `it has no map "${lost.map}", which state names`);
	}
}
