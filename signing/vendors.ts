// The map of vendors: which keys, and how many of them, may say what hardware runs (docs/formats/vendors.md). Refuses to combine
// entries: the first that matches a device decides, alone, so that no vendor speaks for another's hardware.
import { plain, SigningError } from "./errors.ts";
import { type HardwareId, isBus, isDeviceId, isVendorId } from "./hardware.ts";
import { keyMapRules } from "./key-map.ts";
import { formatPublicKey, type PublicKey } from "./public-key.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";

export interface Vendor {
	/** What its catalogues must give as their issuer. */
	readonly issuer: string;
	readonly bus: string;
	readonly vendor: string;
	/** Device ids, or all of the vendor's. */
	readonly devices: readonly string[] | "all";
	/** How many distinct keys of `keys` must have signed; 1 ≤ threshold ≤ keys.length. */
	readonly threshold: number;
	readonly keys: readonly PublicKey[];
}

export interface Vendors {
	readonly vendors: readonly Vendor[];
}

export const VENDORS_SCHEMA = "kfn.vendors/1";
export const VENDORS_LIMITS = { fileBytes: 1024 * 1024, vendors: 1024, devices: 256, keys: 64 } as const;

const { listOf, refuseTwice, parseKey, parseThreshold } = keyMapRules(malformed);
const ISSUER = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const FIELDS = ["issuer", "bus", "vendor", "devices", "threshold", "keys"] as const;

/** 1 to 64 of a-z, 0-9 and `-`; no `-` at either end. */
export function isIssuer(value: unknown): value is string {
	return typeof value === "string" && ISSUER.test(value);
}

/**
 * Parses the bytes of vendors.json. White space and the order of fields are free (people edit this file); a field twice, unknown
 * or missing is not. VENDORS_MALFORMED for all of it; for a bad key line with the KEY_ error as its cause.
 */
export function parseVendors(bytes: Uint8Array): Vendors {
	const text = decodeUtf8(bytes, VENDORS_LIMITS.fileBytes);
	const file = text === undefined ? undefined : parseStrictJson(text);
	if (!hasExactly(file, ["schema", "vendors"]))
		throw malformed("it is not JSON with its two fields, each once");
	if (file.schema !== VENDORS_SCHEMA) throw malformed(`its schema is not ${VENDORS_SCHEMA}`);
	const vendors = listOf(file.vendors, 0, VENDORS_LIMITS.vendors, "vendors").map(parseVendor);
	// The second of two equal claims never decides; whoever wrote it believes that it does.
	refuseTwice(vendors.flatMap(hardwareOf), (hardware) => `${hardware} stands in it twice`);
	return { vendors };
}

/** The canonical bytes: fields in the order of {@link Vendor}, two spaces, a final newline. */
export function serializeVendors(map: Vendors): Uint8Array {
	const vendors = map.vendors.map(({ issuer, bus, vendor, devices, threshold, keys }) => {
		return { issuer, bus, vendor, devices, threshold, keys: keys.map(formatPublicKey) };
	});
	return new TextEncoder().encode(`${JSON.stringify({ schema: VENDORS_SCHEMA, vendors }, null, 2)}\n`);
}

/** The first entry for the device. VENDORS_NO_MATCH when there is none. */
export function vendorFor(map: Vendors, hardware: HardwareId): Vendor {
	const found = map.vendors.find((entry) => speaksFor(entry, hardware));
	if (found !== undefined) return found;
	const shown = plain(`${hardware.bus} ${hardware.vendor}:${hardware.device}`);
	throw new SigningError("VENDORS_NO_MATCH", `no trusted vendor may speak for ${shown}`, {
		hint: "check the vendor's key over another channel, then: kfn trust vendor add BUS:VENDOR --issuer NAME --key FILE",
		details: { hardware: shown },
	});
}

function speaksFor(
	{ bus, vendor, devices }: Pick<Vendor, "bus" | "vendor" | "devices">,
	hardware: HardwareId,
): boolean {
	const sameVendor = bus === hardware.bus && vendor === hardware.vendor;
	return sameVendor && (devices === "all" || devices.includes(hardware.device));
}

/** How people write what an entry is for: `pci 8086:1592`, `pci 8086:*`. */
export function hardwareOf({ bus, vendor, devices }: Pick<Vendor, "bus" | "vendor" | "devices">): string[] {
	return (devices === "all" ? ["*"] : devices).map((device) => `${bus} ${vendor}:${device}`);
}

function parseVendor(entry: unknown, index: number): Vendor {
	const where = `vendor ${index + 1}`;
	if (!hasExactly(entry, FIELDS)) throw malformed(`${where} does not have exactly ${FIELDS.join(", ")}`);
	const { issuer, bus, vendor } = entry;
	if (!isIssuer(issuer)) throw malformed(`the issuer of ${where} is not 1 to 64 of a-z, 0-9 and -`);
	if (!isBus(bus)) throw malformed(`the bus of ${where} is not the name of one`);
	if (!isVendorId(bus, vendor)) throw malformed(`the vendor of ${where} is not an id of its bus`);
	const devices = entry.devices === "all" ? "all" : parseDevices(entry.devices, bus, where);
	const keys = listOf(entry.keys, 1, VENDORS_LIMITS.keys, `keys of ${where}`).map((line, at) =>
		parseKey(line, `key ${at + 1} of ${where}`),
	);
	refuseTwice(
		keys.map(({ keyid }) => keyid),
		(keyid) => `${where} has the key ${keyid} twice`,
	);
	const threshold = parseThreshold(entry.threshold, keys.length, where);
	return { issuer, bus, vendor, devices, threshold, keys };
}

function parseDevices(value: unknown, bus: string, where: string): readonly string[] {
	return listOf(value, 1, VENDORS_LIMITS.devices, `devices of ${where}`).map((device) => {
		if (isDeviceId(bus, device)) return device;
		throw malformed(`a device of ${where} is not an id of its bus`);
	});
}

function malformed(
	why: string,
	more: { cause?: unknown; details?: Record<string, unknown> } = {},
): SigningError {
	return new SigningError("VENDORS_MALFORMED", `vendors.json is malformed: ${why}`, {
		hint: "correct the file; no catalogue counts until it parses",
		...more,
	});
}
