// The smallest step by which something that runs gets rid of its advisories: the lowest release that leaves none open that a bundle can
// close. Refuses to believe that a version fixes anything: each candidate is judged as if it ran, with its own source and parameters.
import { compare, prerelease } from "semver";
import type { Config } from "#bundle/config.ts";
import { grown } from "./fix.ts";
import { type OpenAdvisory, openAdvisories, type Provider } from "./judge.ts";
import type { KernelVersion } from "./kernel-version.ts";
import type { Known } from "./known.ts";

/** A release as the registry's index has it. */
export interface Candidate {
	readonly version: string;
	readonly tag: string;
	readonly yanked: unknown;
}

/** Why a release above what runs is not taken. */
export type SkipWhy = "yanked" | "revoked" | "held" | "channel" | "kernel" | "turn" | "affected";

export interface Skipped {
	readonly version: string;
	readonly why: SkipWhy;
	readonly message: string;
}

export interface StepChoice<C extends Candidate> {
	readonly release: C;
	/** Parameters to set besides what is set. */
	readonly set: Config;
	/** Ids of what was open and is not any more. */
	readonly closes: readonly string[];
}

export interface SecurityStep<C extends Candidate> {
	/** What is open where it runs now. */
	readonly open: readonly OpenAdvisory[];
	readonly take: StepChoice<C> | undefined;
	/** What would close more, and needs parameters to be set, which was not allowed. */
	readonly withParameters: StepChoice<C> | undefined;
	/** Lowest first; nothing above what is taken. */
	readonly skipped: readonly Skipped[];
}

export interface StepQuestion<C extends Candidate> {
	readonly known: Known;
	readonly kernel: KernelVersion;
	/** What runs, with its effective parameters. */
	readonly running: Provider & { readonly bundle: { readonly version: string; readonly name: string } };
	readonly releases: readonly C[];
	/** Why the host does not take a release, whatever it fixes. */
	readonly refuses: (release: C) => Omit<Skipped, "version"> | undefined;
	/** The effective parameters that it would run with, if nothing is set besides what is set. */
	readonly configOf: (release: C) => Promise<Config>;
	/** Whether parameters that an advisory asks for may be set. */
	readonly maySet: boolean;
}

/** Asks `configOf` of no more releases than it takes to find one that leaves nothing open that a bundle can close. */
export async function securityStep<C extends Candidate>(question: StepQuestion<C>): Promise<SecurityStep<C>> {
	const { known, kernel, running } = question;
	const open = openAdvisories(known, running, kernel);
	const before = closable(open);
	const none = { open, take: undefined, withParameters: undefined, skipped: [] };
	if (before.length === 0) return none;
	const skipped: Skipped[] = [];
	const found: Judged<C>[] = [];
	for (const release of candidatesOf(question)) {
		const refused = release.version === running.bundle.version ? undefined : question.refuses(release);
		if (refused !== undefined) {
			skipped.push({ version: release.version, ...refused });
			continue;
		}
		const judged = await judge(question, release, before);
		found.push(...judged);
		if (judged.length === 0 && release.version !== running.bundle.version)
			skipped.push(await affected(question, release, before));
		if (judged.some(({ left, needsLeave }) => left.length === 0 && !needsLeave)) break;
	}
	const take = best(found.filter(({ needsLeave }) => !needsLeave));
	const more = best(found);
	const withParameters = more !== undefined && more !== take && more.needsLeave ? more : undefined;
	const above = take?.choice.release.version;
	return {
		open,
		take: take?.choice,
		withParameters: withParameters?.choice,
		skipped: skipped.filter(({ version }) => above === undefined || compare(version, above) < 0),
	};
}

interface Judged<C extends Candidate> {
	readonly choice: StepChoice<C>;
	readonly left: readonly string[];
	/** It sets parameters, and that is not allowed. */
	readonly needsLeave: boolean;
}

/** What runs itself first, for parameters may be all that it takes; then what is higher and no pre-release, lowest first. */
function candidatesOf<C extends Candidate>({ running, releases }: StepQuestion<C>): C[] {
	const { version } = running.bundle;
	return releases
		.filter((release) => release.version === version || compare(release.version, version) > 0)
		.filter((release) => release.version === version || prerelease(release.version) === null)
		.sort((a, b) => compare(a.version, b.version));
}

/** The ways in which this release is better than what runs: as it comes, and with the parameters that advisories ask for. */
async function judge<C extends Candidate>(
	question: StepQuestion<C>,
	release: C,
	before: readonly string[],
): Promise<Judged<C>[]> {
	const config = await question.configOf(release);
	const set = asked(question, release, config, leftBy(question, release, config));
	const ways = [{}, ...(Object.keys(set).length === 0 ? [] : [set])];
	return ways.flatMap((way) => {
		const left = leftBy(question, release, { ...config, ...way });
		// Only what opens nothing new and closes something: an exchange of one bug for another is no fix.
		const isBetter = left.length < before.length && left.every((id) => before.includes(id));
		if (!isBetter) return [];
		const closes = before.filter((id) => !left.includes(id));
		const needsLeave = Object.keys(way).length > 0 && !question.maySet;
		return [{ choice: { release, set: way, closes }, left, needsLeave }];
	});
}

/** Ids of what would be open and can be closed by a bundle, if this ran in the place of what does. */
function leftBy<C extends Candidate>(question: StepQuestion<C>, release: C, config: Config): string[] {
	const { known, kernel, running } = question;
	const { version, tag } = release;
	const bundle = { name: running.bundle.name, version, tag, config };
	const left = closable(openAdvisories(known, { ...running, bundle }, kernel));
	const { bundle: now } = running;
	// An advisory may call it fixed: the same source with the same parameters is the same function, with the same bug.
	const isSame = tag === now.tag && JSON.stringify(sorted(config)) === JSON.stringify(sorted(now.config));
	return isSame ? [...new Set([...left, ...closable(openAdvisories(known, running, kernel))])] : left;
}

async function affected<C extends Candidate>(
	question: StepQuestion<C>,
	release: C,
	before: readonly string[],
): Promise<Skipped> {
	const { version, tag } = release;
	const left = leftBy(question, release, await question.configOf(release));
	const news = left.filter((id) => !before.includes(id));
	const same = tag === question.running.bundle.tag ? ", for it has the same source as what runs" : "";
	const message = `${version} is affected by ${(news.length > 0 ? news : left).join(", ")} itself${same}`;
	return { version, why: "affected", message };
}

/** Most closed first, then the lowest, then without parameters. */
function best<C extends Candidate>(found: readonly Judged<C>[]): Judged<C> | undefined {
	return found.toSorted(
		(a, b) =>
			a.left.length - b.left.length ||
			compare(a.choice.release.version, b.choice.release.version) ||
			Object.keys(a.choice.set).length - Object.keys(b.choice.set).length,
	)[0];
}

/** No bundle patches the hook or the kernel around it. */
function closable(open: readonly OpenAdvisory[]): string[] {
	return open.filter(({ kind }) => kind !== "kernel-only").map(({ id }) => id);
}

/** What the open advisories want to be set for this release to take the vulnerable code's place; lists grow, for what is set may fix something else. */
function asked<C extends Candidate>(
	{ known, running }: StepQuestion<C>,
	release: C,
	config: Config,
	left: readonly string[],
): Config {
	const wanted: Record<string, Config[string]> = {};
	for (const { advisory } of known.flatMap(({ advisories }) => advisories)) {
		const { fixedBy } = left.includes(advisory.id) ? advisory : { fixedBy: [] };
		const fix = fixedBy.find(
			({ bundle, from }) => bundle === running.bundle.name && compare(release.version, from) >= 0,
		);
		for (const [name, value] of Object.entries(fix?.config ?? {})) {
			// One that the release does not have cannot be set.
			if (!Object.hasOwn(config, name)) continue;
			const merged = grown(wanted[name] ?? config[name]!, value);
			if (JSON.stringify(merged) !== JSON.stringify(config[name])) wanted[name] = merged;
		}
	}
	return wanted;
}

function sorted(config: Config): [string, unknown][] {
	return Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1));
}
