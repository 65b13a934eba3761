// Changes a map of vendors. Refuses nothing itself: whoever writes the result parses it first, and names its own errors.
import type { KeyId, PublicKey } from "./public-key.ts";
import type { Vendor, Vendors } from "./vendors.ts";

/** Which hardware a change is about. */
export interface HardwareRange {
	readonly bus: string;
	readonly vendor: string;
	readonly devices: readonly string[] | "all";
}

/**
 * Keys for hardware: added to the entry of exactly this hardware, whose issuer and, where given, threshold they replace; or in a
 * new entry, which takes the devices out of the one that they stood in, and stands before the one that would otherwise decide.
 */
export function withVendor(
	{ vendors }: Vendors,
	change: HardwareRange & {
		readonly issuer: string;
		readonly keys: readonly PublicKey[];
		readonly threshold: number | undefined;
	},
): Vendors {
	const { issuer, bus, vendor, devices, threshold } = change;
	const own = vendors.find((entry) => sameRange(entry, change));
	const rest = own === undefined ? withoutDevices(vendors, change) : vendors.filter((entry) => entry !== own);
	const entry: Vendor = {
		issuer,
		bus,
		vendor,
		devices,
		threshold: threshold ?? own?.threshold ?? 1,
		keys: mergeKeys(own?.keys ?? [], change.keys),
	};
	const wider = rest.findIndex((other) => ofVendor(other, change) && other.devices === "all");
	const place = own === undefined ? wider : vendors.indexOf(own);
	const at = place === -1 ? rest.length : place;
	return { vendors: [...rest.slice(0, at), entry, ...rest.slice(at)] };
}

/**
 * Without these devices, or without all entries of the vendor; with a key, without that key in the entries that the devices stand
 * in, which go with their last key and otherwise get the threshold, where one is given. Undefined where nothing is concerned.
 */
export function withoutVendor(
	{ vendors }: Vendors,
	what: HardwareRange & { readonly keyid?: string | undefined; readonly threshold?: number | undefined },
): Vendors | undefined {
	const { keyid, threshold } = what;
	const concerned = vendors.filter(
		(entry) => touches(entry, what) && (keyid === undefined || entry.keys.some((key) => key.keyid === keyid)),
	);
	if (concerned.length === 0) return undefined;
	if (keyid === undefined) {
		const all = what.devices === "all";
		return {
			vendors: all ? vendors.filter((entry) => !concerned.includes(entry)) : withoutDevices(vendors, what),
		};
	}
	return {
		vendors: vendors.flatMap((entry) => {
			if (!concerned.includes(entry)) return [entry];
			const keys = entry.keys.filter((key) => key.keyid !== keyid);
			return keys.length === 0 ? [] : [{ ...entry, threshold: threshold ?? entry.threshold, keys }];
		}),
	};
}

/** The first entry whose threshold its keys cannot reach; a map that has one is malformed. */
export function unreachableVendor({ vendors }: Vendors): Vendor | undefined {
	return vendors.find(
		({ threshold, keys }) => !(Number.isInteger(threshold) && threshold >= 1 && threshold <= keys.length),
	);
}

function withoutDevices(vendors: readonly Vendor[], range: HardwareRange): readonly Vendor[] {
	const { devices: gone } = range;
	if (gone === "all") return vendors;
	return vendors.flatMap((entry) => {
		if (!ofVendor(entry, range) || entry.devices === "all") return [entry];
		const devices = entry.devices.filter((device) => !gone.includes(device));
		return devices.length === 0 ? [] : [{ ...entry, devices }];
	});
}

/** Of all of a vendor's hardware, every entry of his; of some devices, the entries that name one. */
function touches(entry: Vendor, range: HardwareRange): boolean {
	if (!ofVendor(entry, range)) return false;
	const { devices } = range;
	return devices === "all" || (entry.devices !== "all" && entry.devices.some((id) => devices.includes(id)));
}

function ofVendor(entry: Vendor, { bus, vendor }: HardwareRange): boolean {
	return entry.bus === bus && entry.vendor === vendor;
}

function sameRange(entry: Vendor, range: HardwareRange): boolean {
	if (!ofVendor(entry, range)) return false;
	const list = ({ devices }: HardwareRange) => (devices === "all" ? "all" : [...devices].sort().join(" "));
	return list(entry) === list(range);
}

function mergeKeys(own: readonly PublicKey[], added: readonly PublicKey[]): PublicKey[] {
	return [...new Map<KeyId, PublicKey>([...own, ...added].map((key) => [key.keyid, key])).values()];
}
