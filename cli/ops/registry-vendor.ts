// kfn registry vendor: who may say what hardware runs, through a registry. Each change is a targets draft, signed at once where keys
// are given.
import { addVendor, removeVendor, withCeremony } from "#registry/main.ts";
import { isBus, isDeviceId, isVendorId } from "#signing/hardware.ts";
import { formatPublicKey, type PublicKey } from "#signing/public-key.ts";
import { hardwareOf, type Vendors } from "#signing/vendors.ts";
import type { HardwareRange } from "#signing/vendors-change.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { columns } from "../output/columns.ts";
import { ceremonyText } from "../output/draft.ts";
import { openKeys, readPublicKey } from "./ceremony.ts";

export interface VendorInput {
	readonly data: string;
	/** `BUS:VENDOR`. */
	readonly hardware: string;
	/** None: all of the vendor's. */
	readonly devices: readonly string[];
	readonly threshold: number | undefined;
	readonly keys: readonly string[];
}

export async function vendorAdd(
	context: Context,
	input: VendorInput & { issuer: string; vendors: readonly string[] },
): Promise<Output> {
	const range = rangeOf(input);
	const keys: PublicKey[] = [];
	for (const file of input.vendors) keys.push(await readPublicKey(file));
	const secrets = await openKeys(context, input.keys);
	const { data, issuer, threshold } = input;
	const request = { ...range, issuer, threshold, keys };
	const result = await withCeremony(data, (ceremony) => addVendor(ceremony, request, secrets));
	return { json: result, text: ceremonyText(data, result) };
}

export async function vendorRemove(
	context: Context,
	input: VendorInput & { vendor: string | undefined },
): Promise<Output> {
	const range = rangeOf(input);
	const key = input.vendor === undefined ? undefined : await readPublicKey(input.vendor);
	const secrets = await openKeys(context, input.keys);
	const { data, threshold } = input;
	const request = { ...range, threshold, key };
	const result = await withCeremony(data, (ceremony) => removeVendor(ceremony, request, secrets));
	return { json: result, text: ceremonyText(data, result) };
}

/** The map that is live, and the one of a draft that waits. */
export async function vendorList(_context: Context, input: { data: string }): Promise<Output> {
	const { live, waiting } = await withCeremony(input.data, (ceremony) => ceremony.vendors());
	return {
		json: { live: document(live), waiting: waiting === undefined ? null : document(waiting) },
		text: [
			table(live),
			...(waiting === undefined ? [] : ["", "in the draft that waits:", table(waiting)]),
		].join("\n"),
	};
}

/** `BUS:VENDOR` as people type it; CLI_USAGE for what no device can have. */
export function parseHardware(text: string): { bus: string; vendor: string } {
	const [bus, vendor, ...rest] = text.split(":");
	if (isBus(bus) && isVendorId(bus, vendor) && rest.length === 0) return { bus, vendor };
	throw new CliError("CLI_USAGE", `"${text}" is not BUS:VENDOR`, {
		hint: "pci:8086, usb:0bda: the ids as sysfs shows them, in lowercase and without 0x",
	});
}

function rangeOf({ hardware, devices }: VendorInput): HardwareRange {
	const { bus, vendor } = parseHardware(hardware);
	const wrong = devices.find((device) => !isDeviceId(bus, device));
	if (wrong === undefined) return { bus, vendor, devices: devices.length === 0 ? "all" : devices };
	throw new CliError("CLI_USAGE", `"${wrong}" is not the id of a device on ${bus}`, {
		hint: "as sysfs shows it, in lowercase and without 0x: 1592",
	});
}

function document({ vendors }: Vendors): unknown {
	return vendors.map((entry) => ({ ...entry, keys: entry.keys.map(formatPublicKey) }));
}

function table({ vendors }: Vendors): string {
	if (vendors.length === 0) return "nobody may speak for any hardware yet";
	const rows = vendors.flatMap((entry) =>
		entry.keys.map((key) => [
			hardwareOf(entry).join(" "),
			entry.issuer,
			`${entry.threshold} of ${entry.keys.length}`,
			key.keyid,
			key.comment,
		]),
	);
	return columns([["HARDWARE", "ISSUER", "THRESHOLD", "KEY", "COMMENT"], ...rows]);
}
