// The smallest release that takes an advisory away. Refuses a "fix" that any known advisory matches, that is not published, or that is
// lower than what runs: what an advisory calls its fix is a claim.
import { compare, prerelease } from "semver";
import type { Config } from "#bundle/config.ts";
import type { Advisory, BundleFix, ParameterValue } from "#signing/advisory.ts";
import { openAdvisories, type Provider } from "./judge.ts";
import type { KernelVersion } from "./kernel-version.ts";
import type { Known } from "./known.ts";

/** A release as the registry's index has it. */
export interface Release {
	readonly version: string;
	readonly tag: string;
	readonly yanked: unknown;
}

export interface Fix {
	readonly bundle: string;
	readonly version: string;
	/** Parameters that it must be given besides those that are set. */
	readonly set: Config;
}

/**
 * The lowest release with which neither the advisory nor any other against a bundle is open: of what runs, a higher one; of the kernel's own
 * code, one that the advisory names. Undefined where the registry has none: no pre-releases, none that is yanked.
 */
export function smallestFix(
	known: Known,
	kernel: KernelVersion,
	{ provider, advisory }: { readonly provider: Provider; readonly advisory: Advisory },
	releasesOf: (name: string) => readonly Release[],
): Fix | undefined {
	for (const { bundle, from, config } of waysOut(provider, advisory)) {
		const running = provider.bundle?.name === bundle ? provider.bundle : null;
		const set = changedBy(running?.config ?? {}, config);
		const candidates = releasesOf(bundle)
			.filter(({ version, yanked }) => yanked === null && prerelease(version) === null)
			.filter(({ version }) => compare(version, from) >= 0)
			.filter(({ version }) => running?.version == null || compare(version, running.version) >= 0)
			.sort((a, b) => compare(a.version, b.version));
		const found = candidates.find(({ version, tag }) => {
			// An advisory may call it fixed: the same source with the same parameters is the same function, with the same bug.
			if (running?.tag === tag && Object.keys(set).length === 0) return false;
			const run = { name: bundle, version, tag, config: { ...running?.config, ...set } };
			const open = openAdvisories(known, { function: provider.function, bundle: run }, kernel);
			return open.every(({ id, kind }) => id !== advisory.id && kind !== "bundle");
		});
		if (found !== undefined) return { bundle, version: found.version, set };
	}
	return undefined;
}

/** Where to look: from the running version up, or at what the advisory says takes the kernel code's place. */
function waysOut({ bundle }: Provider, { kind, fixedBy }: Advisory): readonly BundleFix[] {
	if (kind === "kernel-only") return [];
	if (kind === "kernel-code") return fixedBy;
	if (bundle === null || bundle.name === null || bundle.version === null) return [];
	return [{ bundle: bundle.name, from: bundle.version, config: {} }];
}

/** The parameters whose value has to change; lists grow, for what is set may fix something else. */
function changedBy(config: Config, wanted: BundleFix["config"]): Config {
	const changes = Object.entries(wanted).map(([name, value]) => [name, grown(config[name], value)] as const);
	return Object.fromEntries(
		changes.filter(([name, value]) => JSON.stringify(config[name]) !== JSON.stringify(value)),
	);
}

/** A list grows, for what is set may fix something else; anything else is replaced. */
export function grown(before: Config[string] | undefined, wanted: ParameterValue): Config[string] {
	if (!Array.isArray(wanted) || !Array.isArray(before)) return wanted;
	return [...new Set<string | number>([...before, ...wanted])] as readonly string[];
}
