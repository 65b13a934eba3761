// Tries whether a device does what the software function does, through a wire between two ports. Refuses to take a claim for it: only
// packets count. What was seen is written down, and a device that did otherwise is taken out at once.
import { randomInt } from "node:crypto";
import { readCurrentPlan } from "../generations.ts";
import type { ObserveAnswer } from "../loader-answers.ts";
import type { HostLock } from "../lock.ts";
import type { PlanFunction } from "../plan.ts";
import { reapply, recover } from "../recover.ts";
import type { Scope } from "../scope.ts";
import { type DeviceReport, deviceWord, identityOf, lookAt } from "./device.ts";
import { OffloadError } from "./errors.ts";
import { groundOf, placeAt } from "./judge.ts";
import { type Observation, observedDevice, putObservation } from "./observations.ts";
import { finishLeaving, type Moved, settle, takeOut } from "./settle.ts";
import { entryOf, type OffloadEntry, putEntry } from "./state.ts";
import { switchDevice, wishesOf } from "./switch.ts";

/** The only function that can be sent through a device and looked at behind it. */
const PROBED = "tso";

export interface ProbeRequest {
	readonly device: Scope;
	/** The port at the other end of the wire. */
	readonly peer: Scope;
	/** Of what is random in the superpackets; chosen unless given. */
	readonly seed?: number | undefined;
}

export interface ProbeReport {
	readonly observation: Observation;
	readonly bundle: string;
	readonly version: string;
	readonly seed: number;
	readonly mtu: number;
	readonly differences: ObserveAnswer["differences"];
	/** What became of devices that this host had given the function to. */
	readonly moved: readonly Moved[];
	readonly warnings: readonly string[];
}

/**
 * Sends superpackets through the device and through the program that this host has for it, and compares every byte.
 *
 * While it runs (some seconds) the features that carry the function are on, and what else leaves by the device is segmented by it, too, but
 * for what a program at its egress takes before. Killed halfway, the next command takes the device out again.
 * OFFLOAD_PROBE_FUNCTION, OFFLOAD_FEATURE_STUCK, LOAD_NO_WIRE. That the device did otherwise is no error here: `observation.agrees`.
 */
export async function probeOffload(lock: HostLock, request: ProbeRequest): Promise<ProbeReport> {
	const { host } = lock;
	const { device, peer, seed = randomInt(2 ** 31) } = request;
	const { warnings } = await recover(lock);
	const plan = readCurrentPlan(host);
	const report = await lookAt(host.devices, device);
	const { places } = await groundOf(host, plan);
	const place = placeAt(host, places, device, PROBED);
	if (place === undefined) throw nothingToCompare(device);
	const { scope: _, planned, ...rest } = place;
	const entry = plan.functions.find((one) => one.function === PROBED && one.scope === planned) ?? place;
	const answer = await withFeaturesOn(lock, device, report, () =>
		host.loader.observe({ ...plan, functions: [planFunction(entry)] }, device, peer, seed),
	);
	await demandSameFirmware(lock, device, report);
	const { superpackets, segments, differences, mtu } = answer;
	const observation: Observation = {
		...observedDevice(device, identityOf(report, host.kernel)),
		...{ function: PROBED, abi: rest.abi, tag: rest.tag, configDigest: rest.configDigest },
		...{ at: host.now().toISOString(), peer, superpackets, segments, agrees: differences.length === 0 },
	};
	putObservation(lock, observation);
	const settled = await settle(lock, (held) => reapply(held, new Set()));
	return {
		observation,
		...{ bundle: place.bundle.name, version: place.bundle.version, seed, mtu, differences },
		moved: settled.moved,
		warnings: [...warnings, ...settled.warnings],
	};
}

/** As plan.json has it: a place has more fields. */
function planFunction(entry: PlanFunction): PlanFunction {
	const { function: name, abi, scope, bundle, tag, config, configDigest } = entry;
	return { function: name, abi, scope, bundle, tag, config, configDigest };
}

function nothingToCompare(device: Scope): OffloadError {
	return new OffloadError(
		"OFFLOAD_PROBE_FUNCTION",
		`this host has no ${PROBED} at ${deviceWord(device)} to compare with`,
		{
			hint: `kfn install ${PROBED} --scope ${device}; of the other functions none can be sent through a device`,
		},
	);
}

/** A device that is in has them on already. Else they are switched on as by enabling, and as they were afterwards, also after a kill. */
async function withFeaturesOn<T>(
	lock: HostLock,
	device: Scope,
	report: DeviceReport,
	act: () => Promise<T>,
): Promise<T> {
	const known = entryOf(lock.host, device, PROBED);
	if (known?.state === "in") return act();
	const before: OffloadEntry = known ?? {
		...{ device, function: PROBED, enabled: null, before: wishesOf(PROBED, report) },
		...{ state: "out", letIn: null, why: null },
	};
	const trying = putEntry(lock, { ...before, state: "entering", why: "it is tried" });
	try {
		await switchDevice(lock.host, device, PROBED, true);
		return await act();
	} finally {
		await takeOut(lock, trying, known?.why ?? "it was tried");
		if (known === undefined) await finishLeaving(lock, trying);
	}
}

/** What was seen is of one firmware. */
async function demandSameFirmware(lock: HostLock, device: Scope, tried: DeviceReport): Promise<void> {
	const now = await lookAt(lock.host.devices, device);
	const words = (report: DeviceReport) => JSON.stringify(identityOf(report, lock.host.kernel));
	if (words(now) === words(tried) && now.ifindex === tried.ifindex) return;
	throw new OffloadError(
		"OFFLOAD_REFUSED",
		`${deviceWord(device)} became another device while it was tried`,
		{
			hint: "run the command again once its driver and firmware have settled",
		},
	);
}
