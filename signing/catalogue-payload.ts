// What a catalogue says, as bytes and as a value: `kfn.catalogue/1` (docs/formats/catalogue.md). Refuses every spelling but one,
// and what could be read in two ways. Who signed it and whether it counts now is catalogue.ts.
import { SigningError } from "./errors.ts";
import { isBus, isDeviceId, isSubsystem, isVendorId } from "./hardware.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";
import { tufTime } from "./tuf/time.ts";
import { isIssuer } from "./vendors.ts";

export const CATALOGUE_SCHEMA = "kfn.catalogue/1";
export const CATALOGUE_LIMITS = {
	payloadBytes: 64 * 1024,
	envelopeBytes: 120 * 1024,
	devices: 256,
	firmware: 256,
	entries: 256,
	protocols: 32,
	/** From issue to expiry. */
	days: 400,
	/** How far `issued` may lie ahead of the judge's clock. */
	skewSeconds: 300,
} as const;

/** What hardware and firmware a catalogue is of. */
export interface CatalogueDevice {
	readonly bus: string;
	readonly driver: string;
	readonly vendor: string;
	/** Device ids, sorted. */
	readonly devices: readonly string[];
	/** Boards, as `VENDOR:DEVICE`, sorted; `null` for whatever board carries the device. `pci` only. */
	readonly subsystems: readonly string[] | null;
	/** Versions, exactly as ethtool's driver information prints them, in the order in which they were released. */
	readonly firmware: readonly string[];
}

/** What the engine takes; `null` is not claimed, and then nothing may be assumed. */
export interface CatalogueLimits {
	readonly maxSegments: number | null;
	/** Bytes from the frame's start to the end of the last header that is read. */
	readonly headerDepth: number | null;
	/** Sorted. */
	readonly protocols: readonly string[] | null;
}

export interface CatalogueEntry {
	readonly function: string;
	readonly abi: number;
	/** `kfn1:` and 64 lowercase hex digits. */
	readonly tag: string;
	/** Digest of the effective config that it is built for, 64 lowercase hex digits, or `any`. */
	readonly config: string;
	readonly limits: CatalogueLimits;
	/** First and last of the catalogue's firmware versions that hold this entry; `null`: from the first, to the last. */
	readonly sinceFirmware: string | null;
	readonly untilFirmware: string | null;
}

export interface Catalogue {
	/** Names the line of its successors in a registry. */
	readonly id: string;
	readonly issuer: string;
	/** Of two catalogues of one issuer that are of one device, the higher counts alone. From 1. */
	readonly serial: number;
	/** `YYYY-MM-DDTHH:MM:SSZ`. */
	readonly issued: string;
	/** The first second at which it counts no more. */
	readonly expires: string;
	readonly device: CatalogueDevice;
	/** Sorted by function, ABI, tag, config and first firmware. */
	readonly entries: readonly CatalogueEntry[];
}

const FIELDS = ["schema", "id", "issuer", "serial", "issued", "expires", "device", "entries"] as const;
const DEVICE_FIELDS = ["bus", "driver", "vendor", "devices", "subsystems", "firmware"] as const;
const LIMIT_FIELDS = ["maxSegments", "headerDepth", "protocols"] as const;
const ENTRY_FIELDS = [
	"function",
	"abi",
	"tag",
	"config",
	"limits",
	"sinceFirmware",
	"untilFirmware",
] as const;
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
const DRIVER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
const FIRMWARE = /^[\x20-\x7e]{1,128}$/;
const PROTOCOL = /^[a-z0-9][a-z0-9-]{0,31}$/;
const DAY = 86_400_000;

/** The canonical payload: fields in fixed order, two spaces of indentation, a final newline. */
export function serializeCatalogue(catalogue: Catalogue): Uint8Array {
	const { id, issuer, serial, issued, expires, device, entries } = catalogue;
	const file = {
		schema: CATALOGUE_SCHEMA,
		id,
		issuer,
		serial,
		issued,
		expires,
		device: inOrder(device, DEVICE_FIELDS),
		entries: entries.map((entry) => ({
			...inOrder(entry, ENTRY_FIELDS),
			limits: inOrder(entry.limits, LIMIT_FIELDS),
		})),
	};
	return new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`);
}

/** CATALOGUE_MALFORMED for anything but what {@link serializeCatalogue} writes of a catalogue that keeps the rules. */
export function parseCatalogue(payload: Uint8Array): Catalogue {
	const text = decodeUtf8(payload, CATALOGUE_LIMITS.payloadBytes);
	const file = text === undefined ? undefined : parseStrictJson(text);
	if (!hasExactly(file, FIELDS)) throw malformed("its payload is not JSON with its eight fields");
	if (file.schema !== CATALOGUE_SCHEMA) throw malformed(`its schema is not ${CATALOGUE_SCHEMA}`);
	const device = parseDevice(file.device);
	const catalogue = {
		id: matching(file.id, NAME, "id is not 1 to 64 of a-z, 0-9 and -"),
		issuer: parseIssuer(file.issuer),
		serial: whole(file.serial, 1, Number.MAX_SAFE_INTEGER, "serial"),
		issued: parseTime(file.issued, "issued"),
		expires: parseTime(file.expires, "expires"),
		device,
		entries: listOf(file.entries, 1, CATALOGUE_LIMITS.entries, "entries").map((entry) =>
			parseEntry(entry, device.firmware),
		),
	};
	refuseBoundless(catalogue);
	refuseAmbiguous(catalogue);
	if (Buffer.from(payload).equals(serializeCatalogue(catalogue))) return catalogue;
	throw malformed(
		"its payload is not in its canonical spelling (order of fields, indentation, final newline)",
	);
}

/** The entries in the order that the format demands; for who makes a catalogue. */
export function sortEntries(
	entries: readonly CatalogueEntry[],
	firmware: readonly string[],
): readonly CatalogueEntry[] {
	return [...entries].sort((a, b) => compareEntries(a, b, firmware));
}

/** Whether an entry holds for one of the catalogue's firmware versions; their order is the list's and nothing else. */
export function holdsFor(entry: CatalogueEntry, firmware: readonly string[], version: string): boolean {
	const [since, until] = rangeOf(entry, firmware);
	const at = firmware.indexOf(version);
	return at !== -1 && since <= at && at <= until;
}

export function malformed(why: string): SigningError {
	return new SigningError("CATALOGUE_MALFORMED", `the catalogue is malformed: ${why}`, {
		hint: "do not use it; get it again from the vendor",
		details: { why },
	});
}

function parseDevice(value: unknown): CatalogueDevice {
	if (!hasExactly(value, DEVICE_FIELDS)) throw malformed(`its device does not have its six fields`);
	const { bus, vendor } = value;
	if (!isBus(bus)) throw malformed("its device.bus is not the name of a bus");
	if (!isVendorId(bus, vendor)) throw malformed("its device.vendor is not an id of its bus");
	const driver = matching(value.driver, DRIVER, "device.driver is not the name of a driver");
	const devices = sorted(value.devices, CATALOGUE_LIMITS.devices, "device.devices", (id) =>
		isDeviceId(bus, id),
	);
	const subsystems =
		value.subsystems === null
			? null
			: sorted(value.subsystems, CATALOGUE_LIMITS.devices, "device.subsystems", (id) => isSubsystem(bus, id));
	const firmware = listOf(value.firmware, 1, CATALOGUE_LIMITS.firmware, "device.firmware").map((version) =>
		matching(
			version,
			FIRMWARE,
			"device.firmware has a version that is not 1 to 128 printable ASCII characters",
		),
	);
	if (new Set(firmware).size !== firmware.length) throw malformed("its device.firmware has a version twice");
	return { bus, driver, vendor, devices, subsystems, firmware };
}

function parseEntry(value: unknown, firmware: readonly string[]): CatalogueEntry {
	if (!hasExactly(value, ENTRY_FIELDS)) throw malformed("an entry does not have its seven fields");
	const version = (bound: unknown, field: string): string | null => {
		if (bound === null) return null;
		if (typeof bound === "string" && firmware.includes(bound)) return bound;
		throw malformed(`an entry's ${field} is not one of device.firmware`);
	};
	const entry = {
		function: matching(value.function, NAME, "entry has a function that is not the name of one"),
		abi: whole(value.abi, 1, 65535, "entry's abi"),
		tag: matching(value.tag, /^kfn1:[0-9a-f]{64}$/, "entry has a tag that is not one"),
		config: matching(
			value.config,
			/^(?:any|[0-9a-f]{64})$/,
			"entry has a config that is neither any nor 64 lowercase hex digits",
		),
		limits: parseLimits(value.limits),
		sinceFirmware: version(value.sinceFirmware, "sinceFirmware"),
		untilFirmware: version(value.untilFirmware, "untilFirmware"),
	};
	const [since, until] = rangeOf(entry, firmware);
	if (since > until) throw malformed("an entry's untilFirmware comes before its sinceFirmware");
	return entry;
}

function parseLimits(value: unknown): CatalogueLimits {
	if (!hasExactly(value, LIMIT_FIELDS)) throw malformed("an entry's limits do not have their three fields");
	const { maxSegments, headerDepth, protocols } = value;
	return {
		maxSegments: maxSegments === null ? null : whole(maxSegments, 1, 65535, "limits.maxSegments"),
		headerDepth: headerDepth === null ? null : whole(headerDepth, 1, 65535, "limits.headerDepth"),
		protocols:
			protocols === null
				? null
				: sorted(protocols, CATALOGUE_LIMITS.protocols, "limits.protocols", (word) => PROTOCOL.test(word)),
	};
}

/** Sorted as bytes, none twice: one list has one spelling. */
function sorted(value: unknown, max: number, what: string, fits: (item: string) => boolean): string[] {
	const items = listOf(value, 1, max, what).map((item) => {
		if (typeof item === "string" && fits(item)) return item;
		throw malformed(`its ${what} has a value that is not one`);
	});
	if (items.every((item, at) => at === 0 || items[at - 1]! < item)) return items;
	throw malformed(`its ${what} are not sorted, or have a value twice`);
}

function refuseBoundless({ issued, expires }: Catalogue): void {
	const lasts = Date.parse(expires) - Date.parse(issued);
	if (!(lasts > 0 && lasts <= CATALOGUE_LIMITS.days * DAY))
		throw malformed(`it does not expire 1 second to ${CATALOGUE_LIMITS.days} days after its issue`);
}

/** Two entries that differ in limits alone, for one firmware, would be two answers to one question. */
function refuseAmbiguous({ entries, device: { firmware } }: Catalogue): void {
	entries.forEach((entry, at) => {
		const before = entries[at - 1];
		if (before === undefined) return;
		if (compareEntries(before, entry, firmware) >= 0)
			throw malformed(
				"its entries are not sorted by function, ABI, tag, config and firmware, or one is twice",
			);
		const [since] = rangeOf(entry, firmware);
		if (sameClaim(before, entry) && since <= rangeOf(before, firmware)[1])
			throw malformed("two of its entries say the same of one firmware version");
	});
}

const sameClaim = (a: CatalogueEntry, b: CatalogueEntry) =>
	a.function === b.function && a.abi === b.abi && a.tag === b.tag && a.config === b.config;

function compareEntries(a: CatalogueEntry, b: CatalogueEntry, firmware: readonly string[]): number {
	const first = compareText(a.function, b.function) || a.abi - b.abi;
	return (
		first ||
		compareText(a.tag, b.tag) ||
		compareText(a.config, b.config) ||
		rangeOf(a, firmware)[0] - rangeOf(b, firmware)[0]
	);
}

const compareText = (a: string, b: string) => (a < b ? -1 : Number(a > b));

function rangeOf(
	{ sinceFirmware, untilFirmware }: CatalogueEntry,
	firmware: readonly string[],
): readonly [since: number, until: number] {
	return [
		sinceFirmware === null ? 0 : firmware.indexOf(sinceFirmware),
		untilFirmware === null ? firmware.length - 1 : firmware.indexOf(untilFirmware),
	];
}

function inOrder<T extends object, K extends keyof T>(value: T, fields: readonly K[]): Pick<T, K> {
	return Object.fromEntries(fields.map((field) => [field, value[field]])) as Pick<T, K>;
}

function parseIssuer(value: unknown): string {
	if (isIssuer(value)) return value;
	throw malformed("its issuer is not 1 to 64 of a-z, 0-9 and -");
}

function parseTime(value: unknown, field: string): string {
	const time = matching(value, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, `${field} is not YYYY-MM-DDTHH:MM:SSZ`);
	const date = new Date(time);
	// 2027-02-30 and 24:00:00 are other spellings of other times.
	if (Number.isNaN(date.getTime()) || tufTime(date) !== time) throw malformed(`its ${field} is no time`);
	return time;
}

function whole(value: unknown, min: number, max: number, what: string): number {
	if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
	throw malformed(`its ${what} is not a whole number from ${min} to ${max}`);
}

function listOf(value: unknown, min: number, max: number, what: string): readonly unknown[] {
	if (Array.isArray(value) && value.length >= min && value.length <= max) return value;
	throw malformed(`its ${what} are not a list of ${min} to ${max}`);
}

function matching(value: unknown, pattern: RegExp, why: string): string {
	if (typeof value === "string" && pattern.test(value)) return value;
	throw malformed(`its ${why}`);
}
