// Takes a bundle out of what runs; with purge, also out of the history. Refuses to purge what is still active elsewhere.
import { change } from "./change.ts";
import { HostError } from "./errors.ts";
import { currentGeneration, readCurrentPlan } from "./generations.ts";
import type { OnStep } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { finishLeaving } from "./offload/settle.ts";
import { readEntries } from "./offload/state.ts";
import { keyOf, mergeFunctions, type Plan, type PlanFunction } from "./plan.ts";
import { generationsWith, purge, purgeEverything } from "./purge.ts";
import { type Recovery, recover } from "./recover.ts";
import { type ChangeReport, unchangedReport } from "./report.ts";
import { activeOf } from "./upgrade.ts";

export interface RemoveRequest {
	/** The bundle's name. */
	name: string;
	/** Where; everywhere it is active unless given. */
	scope?: string | undefined;
	/** Also drop every generation that has it, and its bytes; with nothing left active, everything below var/lib/kfn. */
	purge?: boolean | undefined;
	onStep?: OnStep | undefined;
}

/**
 * Detaches a bundle's function, in a new generation without it.
 *
 * HOST_NOT_INSTALLED where it is not active (a purge also takes one that only earlier generations have);
 * HOST_STILL_ACTIVE where a purge of one scope would leave it active in another.
 */
export async function remove(lock: HostLock, request: RemoveRequest): Promise<ChangeReport> {
	const recovery = await recover(lock, request.onStep);
	const current = readCurrentPlan(lock.host);
	const report = await detach(lock, request, current, recovery);
	if (request.purge !== true) return report;
	request.onStep?.({ step: "purge", detail: request.name });
	const warnings = await forgetDevices(lock);
	purge(lock, request.name);
	return {
		...report,
		generation: currentGeneration(lock.host),
		purged: true,
		warnings: [...report.warnings, ...warnings],
	};
}

/** Devices that were given what nothing here has any more get their features back as they were. */
async function forgetDevices(lock: HostLock): Promise<string[]> {
	const { functions } = readCurrentPlan(lock.host);
	const gone = readEntries(lock.host).filter(
		(entry) => !functions.some(({ function: name }) => name === entry.function),
	);
	const warnings: string[] = [];
	for (const entry of gone) warnings.push(...(await finishLeaving(lock, entry)));
	return warnings;
}

async function detach(
	lock: HostLock,
	request: RemoveRequest,
	current: Plan,
	recovery: Recovery,
): Promise<ChangeReport> {
	const { name, scope, onStep } = request;
	const reason = `${request.purge === true ? "purge" : "remove"} ${name}`;
	const named = current.functions.some((entry) => entry.bundle.name === name);
	if (request.purge === true && !named && scope === undefined && hasHistory(lock, request, current)) {
		return unchangedReport(current, reason, recovery);
	}
	const active = activeOf(current, name, scope);
	if (request.purge === true) refuseActiveElsewhere(current, name, active);
	return change(lock, {
		reason,
		functions: mergeFunctions(current.functions, new Map(active.map((entry) => [keyOf(entry), null]))),
		bundles: [],
		required: new Set(),
		recovery,
		onStep,
	});
}

function hasHistory(lock: HostLock, { name }: RemoveRequest, current: Plan): boolean {
	if (generationsWith(lock.host, name).length > 0) return true;
	// An interrupted purge has left no generation to ask for; what else it left goes now.
	if (current.functions.length === 0) purgeEverything(lock);
	return false;
}

function refuseActiveElsewhere(current: Plan, name: string, going: readonly PlanFunction[]): void {
	const stays = current.functions.filter((entry) => entry.bundle.name === name && !going.includes(entry));
	if (stays.length === 0) return;
	const scopes = stays.map((entry) => entry.scope);
	throw new HostError("HOST_STILL_ACTIVE", `${name} stays active in ${scopes.join(", ")}`, {
		hint: "leave out --purge, or leave out --scope to remove it everywhere",
		details: { name, scopes },
	});
}
