// kfn registry vendor: who may say what hardware runs, through a registry. Each change is a targets draft, signed at once where keys
// are given.
import { addVendor, removeVendor, withCeremony } from "#registry/main.ts";
import type { PublicKey } from "#signing/public-key.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { parseHardwareRange } from "../hardware.ts";
import { ceremonyText } from "../output/draft.ts";
import { vendorsDocument, vendorsText } from "../output/vendors.ts";
import { openKeys, readPublicKey } from "./ceremony.ts";

const NONE = "nobody may speak for any hardware yet";

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
	const range = parseHardwareRange(input.hardware, input.devices);
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
	const range = parseHardwareRange(input.hardware, input.devices);
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
		json: { live: vendorsDocument(live), waiting: waiting === undefined ? null : vendorsDocument(waiting) },
		text: [
			vendorsText(live, NONE),
			...(waiting === undefined ? [] : ["", "in the draft that waits:", vendorsText(waiting, NONE)]),
		].join("\n"),
	};
}
