// The highest serial of each issuer that this host has seen for each of its devices: var/lib/kfn/catalogues-seen.json
// (docs/formats/catalogue.md). Refuses to forget: a file that cannot be read is no empty one.

import type { Host } from "../host.ts";
import type { HostLock } from "../lock.ts";
import { count, exact, listOf, matching, oneOf, orNull, text } from "../shape.ts";
import { readJson } from "../state-file.ts";

/** A device as catalogues name it, and who speaks for it. */
export interface SeenDevice {
	readonly bus: string;
	readonly driver: string;
	readonly vendor: string;
	readonly device: string;
	/** `VENDOR:DEVICE` of its board; null where it tells none. */
	readonly subsystem: string | null;
	readonly issuer: string;
}

export interface SeenCatalogue extends SeenDevice {
	readonly serial: number;
	/** Of the payload: of one serial there is one content. */
	readonly payloadSha256: string;
}

const shape = exact({
	schema: oneOf("kfn.catalogues-seen/1"),
	seen: listOf(
		exact({
			bus: text,
			driver: text,
			vendor: text,
			device: text,
			subsystem: orNull(text),
			issuer: text,
			serial: count,
			payloadSha256: matching(/^[0-9a-f]{64}$/, "64 lowercase hex digits"),
		}),
	),
});

/** HOST_STATE_MALFORMED where the file is not as kfn wrote it. */
export function seenCatalogue(host: Host, device: SeenDevice): SeenCatalogue | undefined {
	return readSeen(host).find((entry) => sameDevice(entry, device));
}

/** Raises the memory, durably; a lower or equal serial changes nothing. */
export function rememberCatalogue(lock: HostLock, catalogue: SeenCatalogue): void {
	const { durable, layout } = lock.host;
	const seen = readSeen(lock.host);
	const before = seen.find((entry) => sameDevice(entry, catalogue));
	if (before !== undefined && before.serial >= catalogue.serial) return;
	const all = [...seen.filter((entry) => entry !== before), catalogue];
	const sorted = all.map(inOrder).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
	durable.makeFolder(layout.state);
	durable.writeFile(
		layout.cataloguesSeen,
		`${JSON.stringify({ schema: "kfn.catalogues-seen/1", seen: sorted }, null, 2)}\n`,
	);
}

function readSeen(host: Host): readonly SeenCatalogue[] {
	return readJson(host.layout.cataloguesSeen, shape)?.seen ?? [];
}

function inOrder(seen: SeenCatalogue): SeenCatalogue {
	const { bus, driver, vendor, device, subsystem, issuer, serial, payloadSha256 } = seen;
	return { bus, driver, vendor, device, subsystem, issuer, serial, payloadSha256 };
}

function sameDevice(a: SeenDevice, b: SeenDevice): boolean {
	const ids = a.bus === b.bus && a.vendor === b.vendor && a.device === b.device;
	return ids && a.driver === b.driver && a.subsystem === b.subsystem && a.issuer === b.issuer;
}
