// What differs between two bundles: fixes, tagged sources, instructions. Refuses to look at anything but what the two manifests
// name and their tags and digests cover.
import { disassemble } from "#bundle/disassembly.ts";
import { readElf } from "#bundle/elf.ts";
import type { Manifest } from "#bundle/manifest-shape.ts";
import { diffTexts, type TextDiff } from "./text-diff.ts";

/** A bundle's manifest, and the bytes of a file that it names. */
export interface BundleFiles {
	readonly manifest: Manifest;
	read(path: string): Uint8Array;
}

export interface FileDiff extends TextDiff {
	readonly path: string;
	readonly change: "added" | "removed" | "changed";
}

export interface ProgramDiff extends TextDiff {
	readonly variant: string;
	readonly program: string;
	readonly change: "added" | "removed" | "changed";
}

export interface BundleDiff {
	/** Advisories that only the new one names as fixed, and those that only the old one does. */
	readonly fixed: readonly string[];
	readonly unfixed: readonly string[];
	/** Files of the tagged sets that differ, by path. */
	readonly source: readonly FileDiff[];
	/** Programs whose instructions differ, in the order of the variants. */
	readonly programs: readonly ProgramDiff[];
}

/** A source file beyond this is told by its name alone. */
const MOST_SOURCE_BYTES = 1024 * 1024;

/** Compares two bundles; errors of `read`, and BUNDLE_ELF_INVALID for an object that is none. */
export function diffBundles(before: BundleFiles, after: BundleFiles): BundleDiff {
	const [old, now] = [new Set(before.manifest.fixes), new Set(after.manifest.fixes)];
	return {
		fixed: [...now].filter((id) => !old.has(id)),
		unfixed: [...old].filter((id) => !now.has(id)),
		source: diffSources(before, after),
		programs: diffPrograms(before, after),
	};
}

function diffSources(before: BundleFiles, after: BundleFiles): FileDiff[] {
	const [old, now] = [taggedDigests(before.manifest), taggedDigests(after.manifest)];
	const paths = [...new Set([...old.keys(), ...now.keys()])].sort();
	return paths.flatMap((path) => {
		const [from, to] = [old.get(path), now.get(path)];
		if (from === to) return [];
		const change = from === undefined ? "added" : to === undefined ? "removed" : "changed";
		const textOf = (side: BundleFiles, there: unknown) =>
			there === undefined ? "" : sourceText(side.read(path));
		return [{ path, change, ...diffTexts(path, textOf(before, from), textOf(after, to)) } as const];
	});
}

function taggedDigests({ tag, files }: Manifest): Map<string, string> {
	const tagged = new Set(tag.files);
	return new Map(files.filter(({ path }) => tagged.has(path)).map(({ path, sha256 }) => [path, sha256]));
}

function sourceText(bytes: Uint8Array): string {
	if (bytes.length > MOST_SOURCE_BYTES) return `(${bytes.length} bytes)\n`;
	return Buffer.from(bytes).toString("utf8");
}

function diffPrograms(before: BundleFiles, after: BundleFiles): ProgramDiff[] {
	const [old, now] = [instructionsOf(before), instructionsOf(after)];
	const keys = [...new Map([...old, ...now]).keys()];
	return keys.flatMap((key) => {
		const [from, to] = [old.get(key), now.get(key)];
		const [variant, program] = key.split("\n") as [string, string];
		const text = diffTexts(program, from ?? "", to ?? "");
		if (from !== undefined && to !== undefined && text.patch === "") return [];
		const change = from === undefined ? "added" : to === undefined ? "removed" : "changed";
		return [{ variant, program, change, ...text } as const];
	});
}

/** Every program's text by its variant and name, which no line feed is part of. */
function instructionsOf({ manifest, read }: BundleFiles): Map<string, string> {
	const texts = new Map<string, string>();
	for (const { name: variant, object } of manifest.variants) {
		for (const { name, insns } of readElf(read(object)).programs)
			texts.set(
				`${variant}\n${name}`,
				disassemble(insns)
					.map((line) => `${line}\n`)
					.join(""),
			);
	}
	return texts;
}
