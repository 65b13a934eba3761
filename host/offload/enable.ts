// Gives functions to a device and takes them back: the two verbs of the operator. Refuses a device that may not have them, with every
// failed condition; what fails halfway, or is killed, leaves the device as it was.
import { readCurrentPlan } from "../generations.ts";
import type { HostLock } from "../lock.ts";
import { reapply, recover } from "../recover.ts";
import type { Scope } from "../scope.ts";
import { type DeviceReport, deviceWord, lookAt } from "./device.ts";
import { OffloadError } from "./errors.ts";
import { type Ground, groundOf, judge, placeAt } from "./judge.ts";
import { finishLeaving, letIn, type Moved, takeOut } from "./settle.ts";
import { entryOf, type OffloadEntry, putEntry, readEntries } from "./state.ts";
import { wishesOf } from "./switch.ts";
import { isSecurity, type Verdict } from "./verdict.ts";

export interface OffloadRequest {
	readonly device: Scope;
	/** Those that run at the device, or, to take back, those that it was given. */
	readonly functions?: readonly string[] | undefined;
}

export interface OffloadChange {
	readonly device: string;
	readonly moved: readonly Moved[];
	readonly verdicts: readonly Verdict[];
	readonly warnings: readonly string[];
}

/** Why a device may not take a function over, as an error. */
export function refusedBy(device: string, verdict: Verdict): OffloadError {
	const code = verdict.failed.some(isSecurity) ? "OFFLOAD_UNTRUSTED" : "OFFLOAD_REFUSED";
	const reasons = verdict.failed.map(({ condition, message }) => `${condition}: ${message}`).join("; ");
	return new OffloadError(code, `${device} may not take ${verdict.function} over: ${reasons}`, {
		hint: "docs/formats/offload.md says what each condition asks for; kfn offload check shows them again",
		details: { device, function: verdict.function, failed: verdict.failed },
	});
}

/**
 * Switches the features on that carry each function, and takes the software function off the device.
 *
 * All or nothing, per function, in their order. OFFLOAD_REFUSED, OFFLOAD_UNTRUSTED, OFFLOAD_FEATURE_STUCK; what is in already stays.
 */
export async function enableOffload(lock: HostLock, request: OffloadRequest): Promise<OffloadChange> {
	const { host } = lock;
	const { warnings } = await recover(lock);
	const plan = readCurrentPlan(host);
	const report = await lookAt(host.devices, request.device);
	const ground = await groundOf(host, plan);
	const verdicts: Verdict[] = [];
	for (const name of namedOr(request, runningNames(lock, ground, request.device))) {
		const verdict = await judge(host, ground, request.device, report, name, lock);
		if (!verdict.offloadable) throw refusedBy(deviceWord(request.device), verdict);
		verdicts.push(verdict);
	}
	const moved: Moved[] = [];
	for (const verdict of verdicts) moved.push(...(await enableOne(lock, request.device, verdict, report)));
	return { device: deviceWord(request.device), moved, verdicts, warnings };
}

function namedOr({ device, functions }: OffloadRequest, found: readonly string[]): readonly string[] {
	const names = functions ?? found;
	if (names.length > 0) return names;
	throw new OffloadError("OFFLOAD_REFUSED", `no function runs at ${deviceWord(device)}`, {
		hint: "kfn install brings one; kfn status shows what runs",
	});
}

const runningNames = (lock: HostLock, ground: Ground, device: Scope) =>
	[...new Set(ground.places.map(({ function: name }) => name))].filter(
		(name) => placeAt(lock.host, ground.places, device, name) !== undefined,
	);

async function enableOne(
	lock: HostLock,
	device: Scope,
	verdict: Verdict,
	report: DeviceReport,
): Promise<Moved[]> {
	const known = entryOf(lock.host, device, verdict.function);
	if (known?.state === "in") return [];
	const fresh: OffloadEntry = {
		device,
		function: verdict.function,
		enabled: null,
		before: wishesOf(verdict.function, report),
		state: "out",
		letIn: null,
		why: null,
	};
	const entry = known ?? fresh;
	try {
		const moved = await letIn(lock, entry, verdict, report);
		await reapply(lock, new Set());
		const now = entryOf(lock.host, device, verdict.function);
		if (now !== undefined) putEntry(lock, { ...now, enabled: now.enabled ?? lock.host.now().toISOString() });
		return [moved];
	} catch (error) {
		await undo(lock, device, verdict.function, known === undefined);
		throw error;
	}
}

/** The device out, the software function back, and of a first time the features as they were. */
async function undo(lock: HostLock, device: Scope, name: string, first: boolean): Promise<void> {
	const entry = entryOf(lock.host, device, name);
	if (entry === undefined) return;
	if (entry.state !== "out") await takeOut(lock, entry, "enabling failed");
	await reapply(lock, new Set());
	if (first) await finishLeaving(lock, entry);
}

/** Takes the device out, puts the software function back, and the features as they were before. OFFLOAD_NOT_ENABLED, OFFLOAD_NOT_OUT. */
export async function disableOffload(lock: HostLock, request: OffloadRequest): Promise<OffloadChange> {
	const { warnings } = await recover(lock);
	const { device, functions } = request;
	const entries = readEntries(lock.host).filter(
		(entry) => entry.device === device && (functions?.includes(entry.function) ?? true),
	);
	const missing = functions?.filter((name) => !entries.some((entry) => entry.function === name)) ?? [];
	if (entries.length === 0 || missing.length > 0) {
		const what = missing.length > 0 ? missing.join(", ") : "anything";
		throw new OffloadError("OFFLOAD_NOT_ENABLED", `${deviceWord(device)} was not given ${what}`, {
			hint: "kfn offload status shows what is",
		});
	}
	const told = [...warnings];
	for (const entry of entries) {
		const leaving = putEntry(lock, { ...entry, state: "leaving" });
		await takeOut(lock, leaving, "disabled");
		await reapply(lock, new Set());
		told.push(...(await finishLeaving(lock, leaving)));
	}
	const moved = entries.map(
		({ function: name }): Moved => ({ device: deviceWord(device), function: name, to: "left", why: null }),
	);
	return { device: deviceWord(device), moved, verdicts: [], warnings: told };
}
