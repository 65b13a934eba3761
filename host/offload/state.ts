// Which functions the operator gave to which devices, and how far that is: var/lib/kfn/offload.json (docs/formats/offload.md). Refuses a
// file that it does not understand: a device that is in and not known to be would be left in.
import { codeOf } from "../errors.ts";
import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { planScope, time } from "../plan.ts";
import type { Scope } from "../scope.ts";
import { count, exact, flag, listOf, mapOf, matching, oneOf, orNull, text } from "../shape.ts";
import { readJson } from "../state-file.ts";
import { OffloadError } from "./errors.ts";

/** What makes two runs the same function (design §3.1). */
export interface SameFunction {
	readonly abi: number;
	readonly tag: string;
	readonly configDigest: string;
}

/** The device as it was let in: another boot, or another device of the name, is another device. */
export interface LetIn extends SameFunction {
	readonly boot: string;
	readonly ifindex: number;
}

export interface OffloadEntry {
	/** `dev:NAME` or `dev:NAME@/run/netns/…`. */
	readonly device: Scope;
	readonly function: string;
	/** Null until enabling has succeeded: what is found so later is undone. */
	readonly enabled: string | null;
	/** The features as they were requested before, which disabling restores. */
	readonly before: Readonly<Record<string, boolean>>;
	/**
	 * `in`: the device runs the function. `out`: it does not, until it matches again. `entering`, `leaving`: a step was begun; where
	 * that is found later, the device is taken out first.
	 */
	readonly state: "entering" | "in" | "out" | "leaving";
	/** Of `in` and `entering`. */
	readonly letIn: LetIn | null;
	/** Of `out`: why. */
	readonly why: string | null;
}

const hex = matching(/^[0-9a-f]{64}$/, "64 lowercase hex digits");
const shape = exact({
	schema: oneOf("kfn.offload/1"),
	entries: listOf(
		exact({
			device: planScope,
			function: matching(/^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/, "a name"),
			enabled: orNull(time),
			before: mapOf(flag),
			state: oneOf("entering", "in", "out", "leaving"),
			letIn: orNull(
				exact({
					...{ abi: count, tag: matching(/^kfn1:[0-9a-f]{64}$/, "a tag"), configDigest: hex },
					...{ boot: text, ifindex: count },
				}),
			),
			why: orNull(text),
		}),
		4096,
	),
});

/** All entries, by device and function; none where the file does not exist. OFFLOAD_STATE_MALFORMED. */
export function readEntries(host: Host): readonly OffloadEntry[] {
	try {
		return readJson(host.layout.offload, shape)?.entries ?? [];
	} catch (error) {
		if (codeOf(error) !== "HOST_STATE_MALFORMED") throw error;
		throw new OffloadError("OFFLOAD_STATE_MALFORMED", (error as Error).message, {
			hint: "kfn wrote something else: switch the devices off with ethtool -K, then remove the file",
			cause: error,
		});
	}
}

const keyOfEntry = ({ device, function: name }: Pick<OffloadEntry, "device" | "function">) =>
	`${device} ${name}`;

export function entryOf(host: Host, device: Scope, functionName: string): OffloadEntry | undefined {
	return readEntries(host).find((entry) => entry.device === device && entry.function === functionName);
}

/** Writes one entry durably, in place of the one of that device and function. */
export function putEntry(lock: HostLock, entry: OffloadEntry): OffloadEntry {
	const others = readEntries(lock.host).filter((other) => keyOfEntry(other) !== keyOfEntry(entry));
	write(lock, [...others, entry]);
	return entry;
}

export function dropEntry(lock: HostLock, entry: OffloadEntry): void {
	write(
		lock,
		readEntries(lock.host).filter((other) => keyOfEntry(other) !== keyOfEntry(entry)),
	);
}

function write(lock: HostLock, entries: readonly OffloadEntry[]): void {
	const { durable, layout } = lock.host;
	const sorted = entries.toSorted((a, b) => (keyOfEntry(a) < keyOfEntry(b) ? -1 : 1));
	const document = { schema: "kfn.offload/1", entries: sorted };
	if (sorted.length === 0) durable.removeFile(layout.offload);
	else durable.writeFile(layout.offload, `${JSON.stringify(document, null, 2)}\n`);
}

/** What a device runs now, so that the kernel need not: of this boot. Whether it is still the same device, a look at it tells. */
export function isIn(host: Host, { state, letIn }: OffloadEntry): boolean {
	return state === "in" && letIn?.boot === host.bootId;
}

export function isSame(one: SameFunction | null, other: SameFunction | undefined): boolean {
	return (
		one !== null &&
		other !== undefined &&
		one.abi === other.abi &&
		one.tag === other.tag &&
		one.configDigest === other.configDigest
	);
}
