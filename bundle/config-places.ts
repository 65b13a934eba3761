// How many elements a bundle's lists may have: as many as its programs have places for. Refuses a longer one before anything
// is stored; the loader would, but only when it loads.
import type { BundleContents } from "./bundle.ts";
import type { Config } from "./config.ts";
import { configImmediates } from "./config-immediates.ts";
import { readElf } from "./elf.ts";
import { BundleError } from "./errors.ts";

type Objects = Pick<BundleContents, "manifest" | "files">;

/**
 * The largest number of elements of each list parameter.
 *
 * The least over all variants: which of them a host takes is probed when it loads, and may be another one after the kernel was updated.
 */
export function configPlaces({ manifest, files }: Objects): ReadonlyMap<string, number> {
	const names = Object.keys(manifest.config).sort();
	const programs = manifest.variants.flatMap(({ object }) => readElf(files.get(object)!).programs);
	const elements = programs.map(({ insns }) => configImmediates(insns));
	const lists = [...names.entries()].filter(([, name]) => manifest.config[name]!.type === "u16-list");
	return new Map(
		lists.map(([i, name]) => [
			name,
			Math.min(
				...elements.map((found) =>
					unbroken(found.filter(({ parameter }) => parameter === i).map(({ element }) => element)),
				),
			),
		]),
	);
}

/** A list behind a gap would have an element that the program never sees. */
function unbroken(elements: readonly number[]): number {
	const there = new Set(elements);
	let count = 0;
	while (there.has(count)) count++;
	return count;
}

/** BUNDLE_CONFIG_TOO_MANY for a list that is longer than the programs have places for. */
export function checkConfigPlaces(objects: Objects, config: Config): void {
	for (const [name, limit] of configPlaces(objects)) {
		const value = config[name];
		if (!Array.isArray(value) || value.length <= limit) continue;
		throw new BundleError(
			"BUNDLE_CONFIG_TOO_MANY",
			`${name} has ${value.length} elements, and ${objects.manifest.name} ${objects.manifest.version} takes at most ${limit}`,
			{
				hint: `give ${name} at most ${limit} ${limit === 1 ? "element" : "elements"}`,
				details: { parameter: name, given: value.length, limit },
			},
		);
	}
}
