// Which newer versions of a bundle a registry has, and which advisories they fix. The ids stand in the manifests alone, so the
// archives are fetched, verified like any other. Refuses to look at more of them than a person would read about.

import { rcompare, satisfies } from "semver";
import { openBundle } from "#bundle/bundle.ts";
import type { Source } from "./source.ts";

export const MOST_VERSIONS = 16;

export interface NewerVersion {
	readonly version: string;
	/** Ids of the advisories that it names as fixed; null where it was not looked at: more than 16 are newer. */
	readonly fixes: readonly string[] | null;
}

/** What is offered above `than`, newest first: neither yanked nor, unless `than` is one itself, a prerelease. */
export async function newerVersions(source: Source, name: string, than: string): Promise<NewerVersion[]> {
	const { versions } = await source.index(name);
	const newer = versions
		.filter(({ version, yanked }) => yanked === null && satisfies(version, `>${than}`))
		.sort((a, b) => rcompare(a.version, b.version));
	const found: NewerVersion[] = [];
	for (const [i, { version, sha256, size }] of newer.entries()) {
		const looked = i < MOST_VERSIONS ? await openBundle(await source.blob(sha256, size)) : undefined;
		found.push({ version, fixes: looked?.manifest.fixes ?? null });
	}
	return found;
}
