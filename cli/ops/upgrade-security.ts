// kfn upgrade --security: for each function that runs and has an open advisory, the smallest step that closes it. Refuses to take a
// version's word, or an advisory's, for what it fixes; and to be silent about what stays open.

import { gt } from "semver";
import { openBundle } from "#bundle/bundle.ts";
import { type Config, effectiveConfig } from "#bundle/config.ts";
import {
	compareKernels,
	type KernelRange,
	kernelFulfils,
	parseKernelRange,
	parseKernelRelease,
} from "#bundle/kernel-range.ts";
import { type KernelVersion, kernelVersion } from "#host/advisories/kernel-version.ts";
import type { Known } from "#host/advisories/known.ts";
import { openIn } from "#host/advisories/open.ts";
import { type SecurityStep, type Skipped, type StepChoice, securityStep } from "#host/advisories/step.ts";
import { diffBundles } from "#host/bundle-diff.ts";
import { type BundlePair, filesOf } from "#host/diff.ts";
import { readCurrentPlan } from "#host/generations.ts";
import { holdAgainst } from "#host/holds.ts";
import type { Host } from "#host/host.ts";
import { install } from "#host/install.ts";
import { withLock } from "#host/lock.ts";
import type { PlanFunction } from "#host/plan.ts";
import { readRevoked, revokedBy } from "#host/recall/revoked.ts";
import type { ChangeReport } from "#host/report.ts";
import { carriedConfig } from "#host/upgrade.ts";
import type { IndexVersion } from "#registry/api/wire.ts";
import { learnAdvisories } from "../client/advisories.ts";
import { offeredVersion } from "../client/channel.ts";
import { type FetchedBundle, fetchVersion } from "../client/fetch-bundle.ts";
import type { Source } from "../client/source.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import type { SecurityUpgrades, TakenStep } from "../output/security.ts";
import type { UpgradeFailure } from "../output/upgrades.ts";
import { type Outcome, stillOpen } from "./still-open.ts";
import { failureOf, type UpgradeAllInput, upgradeOne } from "./upgrade-all.ts";

export interface SecurityInput extends Pick<UpgradeAllInput, "scope" | "from"> {
	/** Only this bundle. */
	readonly name: string | undefined;
	/** Whether parameters are set where an advisory asks for them. */
	readonly maySet: boolean;
	readonly dryRun: boolean;
}

/** One function as a step is looked for. */
interface Asked {
	readonly context: Context;
	readonly host: Host;
	readonly source: Source;
	readonly known: Known;
	readonly kernel: KernelVersion;
	readonly input: SecurityInput;
	readonly entry: PlanFunction;
}

/** Errors of one bundle are in `failures`, those of the registry itself are thrown. */
export async function upgradeSecurity(
	context: Context,
	source: Source,
	input: SecurityInput,
): Promise<SecurityUpgrades> {
	const host = openContextHost(context);
	const [known, kernel] = [await learnAdvisories(host, source), kernelVersion(host)];
	const entries = readCurrentPlan(host).functions.filter(
		({ bundle, scope }) =>
			(input.name === undefined || bundle.name === input.name) &&
			(input.scope === undefined || scope === input.scope),
	);
	const steps: TakenStep[] = [];
	const changes: ChangeReport[] = [];
	const failures: UpgradeFailure[] = [];
	const outcomes: Outcome[] = [];
	for (const entry of entries) {
		const { name: bundle, version } = entry.bundle;
		try {
			const found = await stepFor({ context, host, source, known, kernel, input, entry });
			outcomes.push({ entry, step: found.step, error: undefined });
			if (found.taken === undefined) continue;
			steps.push(found.taken);
			if (!input.dryRun) changes.push(await found.apply());
		} catch (error) {
			if (context.signal.aborted) throw error;
			const { function: name, scope, tag, config } = entry;
			const open = openIn(known, kernel, [{ bundle, version, function: name, scope, tag, config }]);
			const failure = failureOf({ bundle, version, scope }, error, open);
			failures.push(failure);
			outcomes.push({ entry, step: undefined, error: failure.error });
		}
	}
	const left = await stillOpen(host, { known, kernel, outcomes, dryRun: input.dryRun });
	const notices = known.flatMap((list) => list.notices);
	return { dryRun: input.dryRun, steps, changes, failures, left, notices };
}

interface Found {
	readonly step: SecurityStep<IndexVersion> | undefined;
	readonly taken: TakenStep | undefined;
	readonly apply: () => Promise<ChangeReport>;
}

async function stepFor(asked: Asked): Promise<Found> {
	const { context, host, source, kernel, input, entry } = asked;
	const { name, version } = entry.bundle;
	// Attached nowhere, it takes the place of no kernel code.
	const known = entry.scope === "none" ? withoutKernel(asked.known) : asked.known;
	const running = {
		function: entry.function,
		bundle: { name, version, tag: entry.tag, config: entry.config },
	};
	const archives = new Map<string, FetchedBundle>();
	const archiveOf = async (wanted: string) => {
		const found = archives.get(wanted) ?? (await fetchVersion(context, source, `${name}@${wanted}`));
		archives.set(wanted, found);
		return found;
	};
	const question = { known, kernel, running, maySet: input.maySet };
	const none = { refuses: () => undefined, configOf: async () => entry.config };
	// Where nothing is open, or nothing that a bundle can close, the registry need not be asked.
	const before = await securityStep({ ...question, ...none, releases: [] });
	if (before.open.every(({ kind }) => kind === "kernel-only")) return unchanged(before);
	const index = await source.index(name);
	const offered = await offeredVersion(context, source, index);
	const step = await securityStep<IndexVersion>({
		...question,
		releases: index.versions,
		refuses: (release) => refusal({ ...asked, offered, running: index.versions }, release),
		configOf: async (release) =>
			release.version === version
				? entry.config
				: configIn(host, entry, (await archiveOf(release.version)).archive),
	});
	if (step.take === undefined) return unchanged(step);
	const { release } = step.take;
	const { archive, raisesFloor } = await archiveOf(release.version);
	const { manifest } = await openBundle(archive);
	const set = inDeclaredOrder(step.take.set, manifest.config);
	const difference = input.dryRun && release.version !== version ? await compare(host, entry, archive) : null;
	const change = { bundle: archive, scope: entry.scope, config: set, raisesFloor };
	return {
		step,
		taken: takenStep(entry, { ...step.take, set }, step.skipped, difference),
		apply: () =>
			release.version === version
				? withLock(host, "upgrade", (lock) => install(lock, { ...change, onStep: context.onStep }))
				: upgradeOne(context, change),
	};
}

function unchanged(step: SecurityStep<IndexVersion>): Found {
	const apply = () => Promise.reject(new Error("there is no step to take"));
	return { step, taken: undefined, apply };
}

function withoutKernel(known: Known): Known {
	return known.map((list) => ({
		...list,
		advisories: list.advisories.filter(({ advisory }) => advisory.kind === "bundle"),
	}));
}

function takenStep(
	{ bundle, scope }: PlanFunction,
	{ release, set, closes }: StepChoice<IndexVersion>,
	skipped: readonly Skipped[],
	difference: BundlePair | null,
): TakenStep {
	return {
		bundle: bundle.name,
		scope,
		from: bundle.version,
		to: release.version,
		set,
		closes,
		skipped,
		difference,
	};
}

/** What keeps this host from a release, whatever it fixes. */
function refusal(
	{
		host,
		input,
		entry,
		offered,
		running,
	}: Asked & { offered: IndexVersion; running: readonly IndexVersion[] },
	release: IndexVersion,
): Omit<Skipped, "version"> | undefined {
	const { name, version } = entry.bundle;
	if (release.yanked !== null) return { why: "yanked", message: `${release.version} was yanked` };
	const { tag, manifestSha256 } = release;
	const revoked = revokedBy(readRevoked(host), { name, tag, manifestSha256 });
	if (revoked !== undefined)
		return { why: "revoked", message: `${release.version} was revoked: ${revoked.reason}` };
	const hold = holdAgainst(host, { name, version: release.version }, [version]);
	if (hold !== undefined)
		return {
			why: "held",
			message: `${release.version} is kept out by the hold at ${hold.version ?? version}`,
		};
	if (gt(release.version, offered.version))
		return {
			why: "channel",
			message: `${release.version} lies beyond ${offered.version}, where the channel is`,
		};
	const kernel = kernelRefusal(
		host,
		release,
		running.find((listed) => listed.version === version),
	);
	if (kernel !== undefined) return { why: "kernel", message: kernel };
	const turn = input.from?.({ name, ...release });
	if (turn !== undefined && turn > host.now())
		return { why: "turn", message: `${release.version}: this host's turn is at ${turn.toISOString()}` };
	return undefined;
}

/** A security step changes no more than it must: a host must not lose its way back to an older kernel by it. */
function kernelRefusal(
	host: Host,
	release: IndexVersion,
	running: IndexVersion | undefined,
): string | undefined {
	const ranges = release.requires.map(({ kernel }) => parseKernelRange(kernel));
	const here = parseKernelRelease(host.kernel);
	if (here !== undefined && !ranges.some((range) => kernelFulfils(range, here)))
		return `${release.version} does not run on Linux ${host.kernel}`;
	const before = running?.requires.map(({ kernel }) => parseKernelRange(kernel));
	if (before === undefined || compareKernels(lowest(ranges), lowest(before)) <= 0) return undefined;
	return `${release.version} needs Linux ${lowest(ranges).join(".")}, what runs ${lowest(before).join(".")}`;
}

function lowest(ranges: readonly KernelRange[]): NonNullable<KernelRange["from"]> {
	const from = ranges.map((range) => range.from ?? ([0, 0, 0] as const));
	return from.toSorted(compareKernels)[0] ?? [0, 0, 0];
}

/** What the release would run with: its own defaults under what was set. */
async function configIn(host: Host, entry: PlanFunction, archive: Uint8Array): Promise<Config> {
	const { manifest } = await openBundle(archive);
	return effectiveConfig(manifest.config, carriedConfig(host, entry, manifest.config));
}

/** Flags have one order, the manifest's. */
function inDeclaredOrder(set: Config, declared: PlanParameters): Config {
	const ordered = Object.entries(set).map(([name, value]) => {
		const parameter = declared[name];
		if (parameter?.type !== "flags") return [name, value] as const;
		const flags: readonly unknown[] = Array.isArray(value) ? value : [];
		return [name, parameter.names.filter((flag) => flags.includes(flag))] as const;
	});
	return Object.fromEntries(ordered);
}
type PlanParameters = Parameters<typeof effectiveConfig>[0];

async function compare(host: Host, entry: PlanFunction, archive: Uint8Array): Promise<BundlePair> {
	const after = await openBundle(archive);
	const { manifest } = after;
	const read = (path: string) => after.files.get(path)!;
	const { name: bundle, version: from } = entry.bundle;
	const pair = { bundle, from, to: manifest.version, fromTag: entry.tag, toTag: manifest.tag.value };
	return { ...pair, diff: diffBundles(filesOf(host, entry), { manifest, read }), unknown: null };
}
