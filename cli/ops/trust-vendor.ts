// kfn trust vendor: whose catalogues count on this host for which hardware (etc/kfn/trust/vendors.json).
import { withLock } from "#host/lock.ts";
import { distrustVendor, trustVendor, type VendorsReport } from "#host/trust-vendors.ts";
import { readVendors } from "#host/vendors.ts";
import type { PublicKey } from "#signing/public-key.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { parseHardwareRange } from "../hardware.ts";
import { openContextHost } from "../open-host.ts";
import { vendorsDocument, vendorsText } from "../output/vendors.ts";
import { readPublicKey } from "./ceremony.ts";

const NONE = "the operator has named no vendor: the registry's map says who may speak for which hardware";

export interface TrustVendorInput {
	/** `BUS:VENDOR`. */
	readonly hardware: string;
	/** None: all of the vendor's. */
	readonly devices: readonly string[];
	readonly threshold: number | undefined;
}

export async function trustVendorAdd(
	context: Context,
	input: TrustVendorInput & { issuer: string; keys: readonly string[] },
): Promise<Output> {
	const range = parseHardwareRange(input.hardware, input.devices);
	const keys: PublicKey[] = [];
	for (const file of input.keys) keys.push(await readPublicKey(file));
	const { issuer, threshold } = input;
	const report = await withLock(openContextHost(context), "trust vendor add", (lock) =>
		trustVendor(lock, { ...range, issuer, threshold, keys }),
	);
	return reportOutput(report);
}

export async function trustVendorRemove(
	context: Context,
	input: TrustVendorInput & { key: string | undefined },
): Promise<Output> {
	const range = parseHardwareRange(input.hardware, input.devices);
	const key = input.key === undefined ? undefined : await readPublicKey(input.key);
	const { threshold } = input;
	const report = await withLock(openContextHost(context), "trust vendor remove", (lock) =>
		distrustVendor(lock, { ...range, threshold, keyid: key?.keyid }),
	);
	return reportOutput(report);
}

export async function trustVendorList(context: Context): Promise<Output> {
	const vendors = readVendors(openContextHost(context));
	return { json: { vendors: vendorsDocument(vendors) }, text: vendorsText(vendors, NONE) };
}

function reportOutput({ changed, vendors }: VendorsReport): Output {
	return { json: { changed, vendors: vendorsDocument(vendors) }, text: vendorsText(vendors, NONE) };
}
