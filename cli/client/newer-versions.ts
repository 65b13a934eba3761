// Which newer versions of a bundle a registry has, and which advisories they fix: as the advisories themselves say, and as manifests say of
// those that nobody published; for that the archives are fetched, verified like any other. Refuses to look at more of them than a person would read about.

import { rcompare, satisfies } from "semver";
import { openBundle } from "#bundle/bundle.ts";
import type { Source } from "./source.ts";

export const MOST_VERSIONS = 16;

/** What is known of advisories: it decides, where it knows an advisory that a manifest names. */
export interface FixJudge {
	/** Whether it knows the advisory, by its id or by an alias. */
	knows(id: string): boolean;
	/** Ids of what is open now and would not be with this release. */
	closes(release: { readonly version: string; readonly tag: string }): readonly string[];
}

const KNOWS_NOTHING: FixJudge = { knows: () => false, closes: () => [] };

export interface NewerVersion {
	readonly version: string;
	/** Ids of the advisories that it closes, and of those that it names as fixed and nobody else speaks of; null where it was not looked at: more than 16 are newer. */
	readonly fixes: readonly string[] | null;
}

/** What is offered above `than`, newest first: neither yanked nor, unless `than` is one itself, a prerelease. */
export async function newerVersions(
	source: Source,
	name: string,
	than: string,
	judge: FixJudge = KNOWS_NOTHING,
): Promise<NewerVersion[]> {
	const { versions } = await source.index(name);
	const newer = versions
		.filter(({ version, yanked }) => yanked === null && satisfies(version, `>${than}`))
		.sort((a, b) => rcompare(a.version, b.version));
	const found: NewerVersion[] = [];
	for (const [i, release] of newer.entries()) {
		const { version, sha256, size } = release;
		const looked = i < MOST_VERSIONS ? await openBundle(await source.blob(sha256, size)) : undefined;
		const named = looked?.manifest.fixes.filter((id) => !judge.knows(id));
		found.push({
			version,
			fixes: named === undefined ? null : [...new Set([...judge.closes(release), ...named])].sort(),
		});
	}
	return found;
}
