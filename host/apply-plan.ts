// From a desired state and what is active to the plan that would fulfil it. Reads files and asks the loader what it sees;
// refuses to write anything, so that a dry run is the same code.
import { maxSatisfying, satisfies } from "semver";
import type { Bundle } from "#bundle/bundle.ts";
import { configDigest, effectiveConfig } from "#bundle/config.ts";
import { parseDigest } from "#bundle/digest.ts";
import type { OpenedPermit } from "#signing/permit.ts";
import {
	demandFreeHook,
	demandNoForeign,
	demandNoOverlap,
	demandPlace,
	foreignPrograms,
	type Hooked,
	hooksOf,
	placedHooks,
	storedHooks,
} from "./conflicts.ts";
import { type DesiredFunction, forEntry } from "./desired-state.ts";
import { HostError } from "./errors.ts";
import { readCurrentPlan } from "./generations.ts";
import { demandNotHeld, readHolds } from "./holds.ts";
import type { Host, OnStep } from "./host.ts";
import { type OfferedPermits, permitDown } from "./permit.ts";
import { keyOf, mergeFunctions, type Plan, type PlanFunction, sameFunctions } from "./plan.ts";
import { openStored, readStoredFile, storedManifest } from "./store.ts";
import { openVerified, planFunctionOf } from "./verified-bundle.ts";

/** A bundle that was fetched for an entry, because what is active there does not fit. */
export interface Offered {
	readonly archive: Uint8Array;
	readonly permits: OfferedPermits;
	readonly raisesFloor: boolean;
}

export interface DesiredEntry extends DesiredFunction {
	/** Undefined where what is active fits. */
	readonly offered: Offered | undefined;
}

/** A version that comes to this host, and what lets it. */
export interface Arrival {
	readonly bundle: Bundle;
	readonly raisesFloor: boolean;
	readonly permit: OpenedPermit | undefined;
}

export interface ApplyPlan {
	readonly current: Plan;
	/** In the plan's order; the same as the current ones where the state is fulfilled. */
	readonly functions: readonly PlanFunction[];
	/** Keys of what is new or different. */
	readonly required: ReadonlySet<string>;
	readonly arrivals: readonly Arrival[];
	readonly warnings: readonly string[];
}

/**
 * Which versions must be fetched for an entry: a range, or undefined where the active version fits, which then stays. A hold
 * narrows it to what it allows, where that fits.
 */
export function rangeToFetch(
	host: Host,
	current: Plan,
	{ bundle, version, scope }: DesiredFunction,
): string | undefined {
	const fits = (candidate: string) => satisfies(candidate, version, { includePrerelease: true });
	const named = current.functions.filter((entry) => entry.bundle.name === bundle);
	const here = named.find((entry) => entry.scope === scope);
	if (here !== undefined && fits(here.bundle.version)) return undefined;
	const hold = readHolds(host).find((entry) => entry.name === bundle);
	if (hold === undefined) return version;
	const allowed = hold.version === null ? named.map((entry) => entry.bundle.version) : [hold.version];
	return maxSatisfying(allowed.filter(fits), "*", { includePrerelease: true }) ?? version;
}

/** Puts the plan together, or refuses with the code of what is wrong; nothing is written. */
export async function planApply(
	host: Host,
	entries: readonly DesiredEntry[],
	onStep?: OnStep,
): Promise<ApplyPlan> {
	const current = readCurrentPlan(host);
	const open = opener(host, onStep);
	const lines = new Map<string, Line>();
	for (const [i, entry] of entries.entries()) {
		await forEntry(i, entry, async () => {
			const line = await lineOf(host, current, entry, i, open);
			demandOneProvider(line, lines.get(keyOf(line.entry)));
			lines.set(keyOf(line.entry), line);
		});
	}
	const all = [...lines.values()];
	const changed = all.filter(({ entry }) => !current.functions.some((old) => sameFunctions([old], [entry])));
	const warnings = await demandNoConflict(host, entries, changed, all);
	return {
		current,
		functions: mergeFunctions([], new Map(all.map(({ entry }) => [keyOf(entry), entry]))),
		required: new Set(changed.map(({ entry }) => keyOf(entry))),
		arrivals: all.flatMap(({ arrival }) => arrival ?? []),
		warnings: [...all.flatMap(({ warning }) => warning ?? []), ...warnings],
	};
}

interface Kept extends Hooked {
	readonly warning: string | undefined;
}

/** One entry as a line of the plan, with the number of the entry that it came from. */
interface Line extends Kept {
	readonly index: number;
	readonly arrival: Arrival | undefined;
}

type Open = (archive: Uint8Array) => Promise<Bundle>;

/** Each archive is verified once, however many scopes it goes to. */
function opener(host: Host, onStep: OnStep | undefined): Open {
	const opened = new Map<Uint8Array, Promise<Bundle>>();
	return (archive) => {
		const known = opened.get(archive) ?? openVerified(host, archive, onStep);
		opened.set(archive, known);
		return known;
	};
}

async function lineOf(
	host: Host,
	current: Plan,
	wanted: DesiredEntry,
	index: number,
	open: Open,
): Promise<Line> {
	const { offered } = wanted;
	if (offered === undefined) return { ...keptLine(host, current, wanted), index, arrival: undefined };
	const bundle = await open(offered.archive);
	demandWanted(bundle, wanted);
	const named = current.functions.filter((old) => old.bundle.name === wanted.bundle);
	const replaced = named.filter((old) => old.scope === wanted.scope);
	const at = (replaced.length > 0 ? replaced : named).map((old) => old.bundle.version);
	demandNotHeld(host, bundle.manifest, at);
	const permit = await permitDown(host, bundle, replaced, offered.permits);
	const entry = planFunctionOf(bundle, wanted.scope, wanted.set, wanted.experimental);
	const arrival = { bundle, raisesFloor: offered.raisesFloor, permit };
	return { entry, hooks: hooksOf(bundle.manifest), index, arrival, warning: undefined };
}

/** The active version stays; its parameters become those of the state, the defaults included. */
function keptLine(host: Host, current: Plan, wanted: DesiredEntry): Kept {
	const { bundle, scope, set, version } = wanted;
	const active = current.functions.find((old) => old.bundle.name === bundle && old.scope === scope);
	if (active === undefined || !satisfies(active.bundle.version, version, { includePrerelease: true })) {
		throw new HostError("HOST_NOT_INSTALLED", `${bundle} was changed by another command meanwhile`, {
			hint: "run the command again",
		});
	}
	const { hooks } = storedHooks(host, active);
	const { sha256, manifestSha256 } = active.bundle;
	const manifest = storedManifest(host, sha256, manifestSha256);
	// What can no longer be read can neither be given other parameters nor stop the rest of the state.
	if (manifest === undefined) {
		const warning = `${bundle} in ${scope} stays as it is: the store cannot say which parameters it has`;
		return { entry: active, hooks, warning };
	}
	const config = effectiveConfig(manifest.config, set);
	if (configDigest(config) === active.configDigest) return { entry: active, hooks, warning: undefined };
	const stored = openStored(host, sha256, manifestSha256);
	const objects = manifest.variants.map(({ object }) => object);
	const files = new Map(objects.map((path) => [path, readStoredFile(host, stored, path)]));
	const digests = { sha256: parseDigest(sha256), manifestDigest: parseDigest(manifestSha256) };
	const entry = planFunctionOf({ manifest, ...digests, files }, scope, config, wanted.experimental);
	return { entry, hooks, warning: undefined };
}

/** An index that was lied about elsewhere, or a file under another name: it must be what the entry asks for. */
function demandWanted({ manifest }: Bundle, { bundle, version }: DesiredEntry): void {
	const fits = satisfies(manifest.version, version, { includePrerelease: true });
	if (manifest.name === bundle && fits) return;
	throw new HostError("HOST_OTHER_BUNDLE", `${manifest.name} ${manifest.version} was given for it`, {
		details: { asked: { bundle, version }, got: { bundle: manifest.name, version: manifest.version } },
	});
}

function demandOneProvider({ entry }: Line, other: Line | undefined): void {
	if (other === undefined) return;
	const { name } = other.entry.bundle;
	throw new HostError(
		"HOST_FUNCTION_TAKEN",
		`${name} (functions[${other.index}]) provides ${entry.function} there`,
		{
			hint: "a function has one provider in a scope: take one of the two out of the state",
			details: { scope: entry.scope, function: entry.function, other: name },
		},
	);
}

/** Conflicts of what is new or different, each told of its entry; what stays is as the kernel has it already. */
async function demandNoConflict(
	host: Host,
	entries: readonly DesiredEntry[],
	changed: readonly Line[],
	all: readonly Line[],
): Promise<string[]> {
	const placed = await placedHooks(host, all);
	const placesOfLine = (line: Line) => placed.find(({ entry }) => entry === line.entry)!;
	const { found, unseen } = await foreignPrograms(
		host,
		changed.flatMap((line) => placesOfLine(line).places),
	);
	for (const line of changed) {
		await forEntry(line.index, entries[line.index]!, async () => {
			await demandPlace(host, line.entry);
			demandNoOverlap(
				line.entry,
				all.map(({ entry }) => entry),
			);
			demandFreeHook(host, placesOfLine(line), placed);
			demandNoForeign(placesOfLine(line), found);
		});
	}
	return unseen === undefined ? [] : [unseen];
}
