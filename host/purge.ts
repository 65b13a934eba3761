// Drops history for good: generations and store entries, and in the end kfn's whole state. Refuses to touch what the current generation needs.
import {
	currentGeneration,
	generationNumbers,
	planOrUndefined,
	pointTo,
	readPlan,
	removeGeneration,
} from "./generations.ts";
import { settleGood } from "./health.ts";
import type { Host } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { sweep } from "./recover.ts";

/** Generations other than the current one in which the bundle is active; one that cannot be read counts, too. */
export function generationsWith(host: Host, name: string): number[] {
	const current = currentGeneration(host);
	return generationNumbers(host).filter((n) => {
		if (n === current) return false;
		return planOrUndefined(host, n)?.functions.some((entry) => entry.bundle.name === name) ?? true;
	});
}

/** Drops what holds a bundle that is not active any more; with nothing active at all, everything. Can be repeated. */
export function purge(lock: HostLock, name: string): void {
	const current = readPlan(lock.host, currentGeneration(lock.host));
	if (current.functions.length === 0) {
		purgeEverything(lock);
		return;
	}
	const going = generationsWith(lock.host, name);
	settleGood(lock, going);
	for (const n of going) removeGeneration(lock, n);
	sweep(lock);
}

/** Removes kfn's state where nothing is active: pointer first, so that a kill leaves "nothing active", the lock last. */
export function purgeEverything(lock: HostLock): void {
	const { durable, layout } = lock.host;
	settleGood(lock, generationNumbers(lock.host));
	pointTo(lock, 0);
	sweep(lock);
	for (const folder of [layout.generations, layout.store, layout.tmp]) durable.removeTree(folder);
	// Numbers start at 1 again, and what is counted of a generation would be counted of another.
	durable.removeFile(layout.bootCounter);
	durable.removeTree(layout.initramfs);
	durable.removeFile(layout.log);
	// Whoever opened this file before and locks it after us finds that its name is gone, and opens a new one (lock.ts).
	durable.removeFile(layout.lock);
	durable.removeEmpty(layout.state);
}
