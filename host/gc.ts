// Frees what the host no longer needs: old generations, then stored bundles that no generation names, then leavings of interrupted
// commands. Refuses to touch what runs, what a boot or a rollback would go back to, and what an interrupted change is about.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readCounter } from "./boot/counter.ts";
import { isTemporary, statOf } from "./durable.ts";
import {
	currentGeneration,
	generationNumbers,
	listFolder,
	planOrUndefined,
	removeGeneration,
} from "./generations.ts";
import { goodGeneration } from "./health.ts";
import type { Host, OnStep } from "./host.ts";
import { readJournal } from "./journal.ts";
import type { HostLock } from "./lock.ts";
import { recover, sweep } from "./recover.ts";
import { storedDigests } from "./store.ts";
import { isLiveScratch } from "./trust-state/scratch.ts";

export interface GcRequest {
	/** How many of the newest generations stay, the current one among them. */
	readonly keep: number;
	readonly onStep?: OnStep | undefined;
}

export interface CollectedBundle {
	readonly sha256: string;
	/** Null, like the next, where no generation that could be read named it. */
	readonly name: string | null;
	readonly version: string | null;
	readonly bytes: number;
}

/** `kfn gc --json` (docs/formats/history.md). */
export interface GcReport {
	readonly dryRun: boolean;
	/** Removed, ascending; with `dryRun` what would be, like all that follows. */
	readonly generations: readonly number[];
	readonly kept: readonly number[];
	readonly bundles: readonly CollectedBundle[];
	/** Files and folders of interrupted commands, below /var/lib/kfn. */
	readonly leftovers: readonly string[];
	/** Of all of it; what files hold, not what they take on the disk. */
	readonly bytes: number;
	readonly warnings: readonly string[];
}

/**
 * Removes old generations and what only they needed. Can be killed anywhere: a generation goes before the bundles that it names, and
 * what is half removed is removed by the next changing command. Recovers first, as every changing command.
 */
export async function gc(lock: HostLock, { keep, onStep }: GcRequest): Promise<GcReport> {
	const { host } = lock;
	const before = inventory(host);
	const { warnings } = await recover(lock, onStep);
	for (const n of removable(host, keep)) {
		onStep?.({ step: "remove", detail: `generation ${n}` });
		removeGeneration(lock, n);
	}
	onStep?.({ step: "sweep" });
	sweep(lock);
	return { ...reportOf(before, inventory(host), false), warnings };
}

/** What {@link gc} would remove now. Takes no lock. */
export function gcDryRun(host: Host, { keep }: GcRequest): GcReport {
	const before = inventory(host);
	const going = new Set([...removable(host, keep), ...uncommitted(host)]);
	const generations = new Map([...before.generations].filter(([n]) => !going.has(n)));
	const needed = neededBy(host, [...generations.keys()]);
	const bundles = new Map([...before.bundles].filter(([sha256]) => needed?.has(sha256) ?? true));
	const after = { ...before, generations, bundles, leftovers: new Map<string, number>() };
	return { ...reportOf(before, after, true), warnings: [] };
}

/** Committed generations that nothing protects, ascending. */
function removable(host: Host, keep: number): number[] {
	const current = currentGeneration(host);
	const committed = generationNumbers(host).filter((n) => n <= current);
	const previous = committed.findLast((n) => n < current);
	const { from, to } = journalOf(host);
	// Where the current one does not come up, a boot loads the last that did, and where that is gone, the last good one.
	const booted = readCounter(host)?.booted;
	const safe = new Set([current, goodGeneration(host), booted, previous, from, to]);
	// Of none: `slice(-0)` would be all of them.
	const newest = new Set(keep === 0 ? [] : committed.slice(-keep));
	return committed.filter((n) => !safe.has(n) && !newest.has(n));
}

/** A journal that cannot be read names nobody, and recovery has the last word on it. */
function journalOf(host: Host): { readonly from: number | undefined; readonly to: number | undefined } {
	try {
		const journal = readJournal(host);
		return { from: journal?.from, to: journal?.to };
	} catch {
		return { from: undefined, to: undefined };
	}
}

function uncommitted(host: Host): number[] {
	const current = currentGeneration(host);
	return generationNumbers(host).filter((n) => n > current);
}

/** Stored bundles that these generations name; undefined where one cannot be read: then none may go. */
function neededBy(host: Host, generations: readonly number[]): Set<string> | undefined {
	const plans = generations.map((n) => planOrUndefined(host, n));
	if (plans.includes(undefined)) return undefined;
	return new Set(plans.flatMap((plan) => plan!.functions.map(({ bundle }) => bundle.sha256)));
}

/** What could go, with its bytes, and the names that generations give the bundles. */
interface Inventory {
	readonly generations: ReadonlyMap<number, number>;
	readonly bundles: ReadonlyMap<string, number>;
	readonly leftovers: ReadonlyMap<string, number>;
	readonly names: ReadonlyMap<string, { readonly name: string; readonly version: string }>;
}

function inventory(host: Host): Inventory {
	const { layout } = host;
	const numbers = generationNumbers(host);
	const sized = <K>(keys: readonly K[], pathOf: (key: K) => string) =>
		new Map(keys.map((key) => [key, bytesOf(pathOf(key))]));
	const inTmp = listFolder(layout.tmp).filter((name) => !isLiveScratch(name));
	const leftovers = [...listFolder(layout.state).filter(isTemporary), ...inTmp.map((name) => `tmp/${name}`)];
	const functions = numbers.flatMap((n) => planOrUndefined(host, n)?.functions ?? []);
	return {
		generations: sized(numbers, (n) => layout.generation(n)),
		bundles: sized(storedDigests(host), (sha256) => layout.storeEntry(sha256)),
		leftovers: sized(leftovers, (name) => join(layout.state, name)),
		names: new Map(functions.map(({ bundle }) => [bundle.sha256, bundle])),
	};
}

function reportOf(before: Inventory, after: Inventory, dryRun: boolean): Omit<GcReport, "warnings"> {
	const gone = <K>(old: ReadonlyMap<K, number>, now: ReadonlyMap<K, number>) =>
		[...old].filter(([key]) => !now.has(key));
	const generations = gone(before.generations, after.generations);
	const bundles = gone(before.bundles, after.bundles);
	const leftovers = gone(before.leftovers, after.leftovers);
	const all: [unknown, number][] = [...generations, ...bundles, ...leftovers];
	return {
		dryRun,
		generations: generations.map(([n]) => n),
		kept: [...after.generations.keys()],
		bundles: bundles.map(([sha256, bytes]) => {
			const { name = null, version = null } = before.names.get(sha256) ?? {};
			return { sha256, name, version, bytes };
		}),
		leftovers: leftovers.map(([name]) => name),
		bytes: all.reduce((sum, [, bytes]) => sum + bytes, 0),
	};
}

/** Bytes of all files below a path, or of the file itself. */
function bytesOf(path: string): number {
	const stat = statOf(path);
	if (stat?.isFile()) return Number(stat.size);
	if (!stat?.isDirectory()) return 0;
	return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}
