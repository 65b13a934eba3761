// Brings devices and generation together: out what does not match, in what does. Refuses to begin with "in": whatever is doubtful is taken
// out first, so that at no moment device and kernel run different functions (docs/formats/offload.md has the order).
import { codeOf } from "../errors.ts";
import { currentGeneration, readCurrentPlan } from "../generations.ts";
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { tryLog } from "../log.ts";
import { placesOf } from "../places.ts";
import type { Plan } from "../plan.ts";
import { type DeviceReport, deviceWord, lookAt } from "./device.ts";
import { OffloadError } from "./errors.ts";
import { carriersOf, wrongFeatures } from "./features.ts";
import { groundOf, judge, placeAt } from "./judge.ts";
import { dropEntry, isIn, isSame, type LetIn, type OffloadEntry, putEntry, readEntries } from "./state.ts";
import { restoreFeatures, switchDevice } from "./switch.ts";
import type { Verdict } from "./verdict.ts";

/** Attaches in the kernel what the generation has and no device runs. */
export type Reapply = (lock: HostLock) => Promise<unknown>;

/** What was done to one device. */
export interface Moved {
	readonly device: string;
	readonly function: string;
	readonly to: "in" | "out" | "left";
	readonly why: string | null;
}

/**
 * Takes out every device that would run something else than `next` has for it, and every one whose step was not finished.
 * OFFLOAD_NOT_OUT where one cannot be taken out: then `next` must not come. A device that is gone is out.
 */
export async function takeOutMismatched(lock: HostLock, next: Plan, why: string): Promise<Moved[]> {
	const entries = readEntries(lock.host).filter(({ state }) => state !== "out");
	if (entries.length === 0) return [];
	const places = await placesOf(lock.host, next.functions);
	const moved: Moved[] = [];
	for (const entry of entries) {
		const stays =
			entry.state === "in" &&
			entry.letIn?.boot === lock.host.bootId &&
			isSame(entry.letIn, placeAt(lock.host, places, entry.device, entry.function));
		if (!stays) moved.push(await takeOut(lock, entry, why));
	}
	return moved;
}

/** Features off, read again, then written down. The kernel's software comes back with the next apply. */
export async function takeOut(lock: HostLock, entry: OffloadEntry, why: string): Promise<Moved> {
	try {
		await switchDevice(lock.host, entry.device, entry.function, false);
	} catch (error) {
		if (codeOf(error) !== "OFFLOAD_DEVICE_GONE") throw notOut(entry, error);
	}
	// What disabling has begun, it ends; what enabling has not ended, goes the same way.
	putEntry(lock, { ...entry, state: isLeaving(entry) ? "leaving" : "out", letIn: null, why });
	tell(lock, entry, "out", why);
	return { device: deviceWord(entry.device), function: entry.function, to: "out", why };
}

const isLeaving = ({ state, enabled }: OffloadEntry) => state === "leaving" || enabled === null;

function notOut(entry: OffloadEntry, cause: unknown): OffloadError {
	const device = deviceWord(entry.device);
	return new OffloadError(
		"OFFLOAD_NOT_OUT",
		`${device} still runs ${entry.function}: ${(cause as Error).message}`,
		{
			hint: "switch the features off with ethtool -K, or take the device down, and run the command again",
			details: { device, function: entry.function, code: codeOf(cause) },
			cause,
		},
	);
}

/**
 * What is found of another moment: steps that were begun, devices of another boot, devices that somebody switched or replaced. All of
 * it is taken out; disabling is finished. Warnings where a device could not be taken out.
 */
export async function retreat(lock: HostLock, reapply: Reapply): Promise<string[]> {
	const warnings: string[] = [];
	let changed = false;
	for (const entry of readEntries(lock.host)) {
		const why = await doubtOf(lock.host, entry);
		if (why === undefined) continue;
		try {
			await takeOut(lock, entry, why);
			changed = true;
		} catch (error) {
			warnings.push((error as Error).message);
		}
	}
	const leaving = readEntries(lock.host).filter(isLeaving);
	if (changed || leaving.length > 0) await reapply(lock);
	for (const entry of leaving) warnings.push(...(await finishLeaving(lock, entry)));
	return warnings;
}

/** Why an entry is not what it says; undefined where it is. */
async function doubtOf(host: Host, entry: OffloadEntry): Promise<string | undefined> {
	if (entry.state === "out" && entry.enabled !== null) return cameOn(host, entry);
	if (entry.state !== "in" || entry.enabled === null) return "an unfinished step was taken back";
	if (entry.letIn?.boot !== host.bootId) return "the machine was started again";
	const carriers = carriersOf(entry.function);
	try {
		const report = await lookAt(host.devices, entry.device);
		if (report.ifindex !== entry.letIn.ifindex) return "another device has its name";
		const wrong = carriers === undefined ? [] : wrongFeatures(carriers, report.features, true);
		return wrong.length === 0 ? undefined : `somebody switched ${wrong.join(", ")}`;
	} catch (error) {
		if (codeOf(error) === "OFFLOAD_DEVICE_GONE") return "the device is gone";
		return (error as Error).message;
	}
}

/** A device that came back, or a boot, brings the driver's own choice of features, and with them an engine that nobody checked. */
async function cameOn(host: Host, entry: OffloadEntry): Promise<string | undefined> {
	const carriers = carriersOf(entry.function);
	try {
		const { features } = await lookAt(host.devices, entry.device);
		const on = carriers === undefined ? [] : wrongFeatures(carriers, features, false);
		return on.length === 0 ? undefined : `${on.join(", ")} came on by itself`;
	} catch {
		// What cannot be asked cannot be switched either; letting it in fails the same way, and says so.
		return undefined;
	}
}

/** The last step of disabling: the wishes as they were, then nothing of it is left. */
export async function finishLeaving(lock: HostLock, entry: OffloadEntry): Promise<string[]> {
	const warnings: string[] = [];
	try {
		await restoreFeatures(lock.host, entry.device, entry.before);
	} catch (error) {
		if (codeOf(error) !== "OFFLOAD_DEVICE_GONE") warnings.push((error as Error).message);
	}
	dropEntry(lock, entry);
	tell(lock, entry, "left", null);
	return warnings;
}

/**
 * Takes every enabled device out that no longer matches, and lets in what does; then the kernel runs what no device does. What cannot
 * come in stays out, with a warning. Safe to repeat.
 */
export async function settle(
	lock: HostLock,
	reapply: Reapply,
): Promise<{ moved: Moved[]; warnings: string[] }> {
	const warnings = await retreat(lock, reapply);
	const moved: Moved[] = [];
	const plan = readCurrentPlan(lock.host);
	if (await isUneven(lock.host, plan)) await reapply(lock);
	let entered = false;
	for (const entry of readEntries(lock.host)) {
		const done = await settleOne(lock, plan, entry, warnings);
		if (done === undefined) continue;
		moved.push(done);
		if (done.to === "out") await reapply(lock);
		entered ||= done.to === "in";
	}
	if (entered) await reapply(lock);
	return { moved, warnings };
}

/** Software that is attached beside a device that is in, after a kill; or missing at one that is out, after it came back. */
async function isUneven(host: Host, plan: Plan): Promise<boolean> {
	const entries = readEntries(host);
	if (entries.length === 0) return false;
	const { kernel, places } = await groundOf(host, plan);
	return entries.some((entry) => {
		const place = placeAt(host, places, entry.device, entry.function);
		if (place?.scope !== entry.device || place.inode === undefined) return false;
		const pin = kernel.pins.find((one) => one.scope === entry.device && one.function === entry.function);
		return (pin?.link?.alive === true) === isIn(host, entry);
	});
}

async function settleOne(
	lock: HostLock,
	plan: Plan,
	entry: OffloadEntry,
	warnings: string[],
): Promise<Moved | undefined> {
	const { host } = lock;
	const device = deviceWord(entry.device);
	try {
		const report = await lookAt(host.devices, entry.device);
		const ground = await groundOf(host, plan);
		const verdict = await judge(host, ground, entry.device, report, entry.function, lock);
		if (verdict.offloadable)
			return entry.state === "in" ? undefined : await letIn(lock, entry, verdict, report);
		const why = verdict.failed.map(({ condition }) => condition).join(", ");
		if (entry.state === "in") return await takeOut(lock, entry, why);
		if (entry.why !== why) putEntry(lock, { ...entry, why });
		warnings.push(`${device} stays out for ${entry.function}: ${verdict.failed[0]?.message ?? why}`);
	} catch (error) {
		const why = (error as Error).message;
		warnings.push(`${device} stays out for ${entry.function}: ${why}`);
		return entry.state === "in" ? await outOrWarn(lock, entry, why, warnings) : undefined;
	}
	return undefined;
}

/** Of what can no longer be judged, nobody knows that it still matches. */
async function outOrWarn(
	lock: HostLock,
	entry: OffloadEntry,
	why: string,
	warnings: string[],
): Promise<Moved | undefined> {
	try {
		return await takeOut(lock, entry, why);
	} catch (error) {
		warnings.push((error as Error).message);
		return undefined;
	}
}

/**
 * The way in: written down as begun, features on, read again, written down as in. The caller then applies, which takes the software
 * function off the device: until then both run, and both are the same. Throws with the device out again.
 */
export async function letIn(
	lock: HostLock,
	entry: OffloadEntry,
	{ running }: Verdict,
	report: DeviceReport,
): Promise<Moved> {
	const { abi, tag, configDigest } = running!;
	const let_: LetIn = { abi, tag, configDigest, boot: lock.host.bootId, ifindex: report.ifindex };
	const entering = putEntry(lock, { ...entry, state: "entering", letIn: let_, why: null });
	try {
		await switchDevice(lock.host, entry.device, entry.function, true);
		await demandSameDevice(lock.host, entry, report);
	} catch (error) {
		await takeOut(lock, entering, (error as Error).message);
		throw error;
	}
	putEntry(lock, { ...entering, state: "in" });
	tell(lock, entry, "in", null);
	return { device: deviceWord(entry.device), function: entry.function, to: "in", why: null };
}

/** The verdict was on what the device was then: another firmware may have come while it was switched on. */
async function demandSameDevice(host: Host, entry: OffloadEntry, judged: DeviceReport): Promise<void> {
	const now = await lookAt(host.devices, entry.device);
	const words = ({ ifindex, driver, firmware, parent, devlink }: DeviceReport) =>
		JSON.stringify([ifindex, driver, firmware, parent, devlink]);
	if (words(now) === words(judged)) return;
	throw new OffloadError(
		"OFFLOAD_REFUSED",
		`${deviceWord(entry.device)} became another device while it was switched`,
		{
			hint: "run the command again once its driver and firmware have settled",
		},
	);
}

function tell(
	lock: HostLock,
	{ device, function: name }: OffloadEntry,
	to: Moved["to"],
	why: string | null,
): void {
	const generation = currentGeneration(lock.host);
	const reason = `${name} at ${deviceWord(device)}: ${to}${why === null ? "" : `, as ${why}`}`;
	tryLog(lock, { event: "offload", from: generation, to: generation, reason });
}
