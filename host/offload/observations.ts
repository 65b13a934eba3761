// What was observed of devices: var/lib/kfn/observations.json (docs/formats/offload.md). Refuses to speak for another device, firmware or
// function than the one that was tried: what was seen says nothing of those.
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { planScope, time } from "../plan.ts";
import type { Scope } from "../scope.ts";
import { count, exact, flag, listOf, matching, oneOf, orNull, text } from "../shape.ts";
import { readJson } from "../state-file.ts";
import type { Identity } from "./source.ts";
import { isSame, type SameFunction } from "./state.ts";

/** Who a device was when it was tried; of the same words it is the same. */
export interface ObservedDevice {
	readonly device: Scope;
	readonly bus: string | null;
	readonly driver: string;
	readonly vendor: string | null;
	readonly deviceId: string | null;
	readonly firmware: string | null;
}

export interface Observation extends ObservedDevice, SameFunction {
	readonly function: string;
	readonly at: string;
	/** The port that received. */
	readonly peer: Scope;
	readonly superpackets: number;
	readonly segments: number;
	/** Whether each segment was the software function's, byte for byte. */
	readonly agrees: boolean;
}

const hex = matching(/^[0-9a-f]{64}$/, "64 lowercase hex digits");
const shape = exact({
	schema: oneOf("kfn.observations/1"),
	observations: listOf(
		exact({
			...{ device: planScope, bus: orNull(text), driver: text, vendor: orNull(text), deviceId: orNull(text) },
			...{ firmware: orNull(text), function: text, abi: count },
			...{ tag: matching(/^kfn1:[0-9a-f]{64}$/, "a tag"), configDigest: hex, at: time, peer: planScope },
			...{ superpackets: count, segments: count, agrees: flag },
		}),
		4096,
	),
});

/** All of them; none where the file does not exist. HOST_STATE_MALFORMED. */
export function readObservations(host: Host): readonly Observation[] {
	return readJson(host.layout.observations, shape)?.observations ?? [];
}

export function observedDevice(device: Scope, identity: Identity): ObservedDevice {
	const { bus, driver, vendor, deviceId, firmware } = identity;
	return { device, bus, driver, vendor, deviceId, firmware };
}

/** What was seen of this very function in this very device with the firmware that it has; undefined where nothing was. */
export function observationOf(
	host: Host,
	device: ObservedDevice,
	functionName: string,
	running: SameFunction,
): Observation | undefined {
	return readObservations(host).find(
		(seen) => seen.function === functionName && sameDevice(seen, device) && isSame(seen, running),
	);
}

function sameDevice(one: ObservedDevice, other: ObservedDevice): boolean {
	const words = ({ device, bus, driver, vendor, deviceId, firmware }: ObservedDevice) =>
		JSON.stringify([device, bus, driver, vendor, deviceId, firmware]);
	return words(one) === words(other);
}

/** Writes one durably, in place of what was seen of the same before. */
export function putObservation(lock: HostLock, observation: Observation): void {
	const { durable, layout } = lock.host;
	const others = readObservations(lock.host).filter(
		(seen) =>
			seen.function !== observation.function || !sameDevice(seen, observation) || !isSame(seen, observation),
	);
	const document = { schema: "kfn.observations/1", observations: [...others, observation] };
	durable.writeFile(layout.observations, `${JSON.stringify(document, null, 2)}\n`);
}
