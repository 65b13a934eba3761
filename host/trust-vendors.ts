// Whose catalogues count on this host: etc/kfn/trust/vendors.json, changed. Refuses to leave hardware with fewer keys than its threshold.
import type { PublicKey } from "#signing/public-key.ts";
import { hardwareOf, parseVendors, serializeVendors, type Vendors } from "#signing/vendors.ts";
import { type HardwareRange, unreachableVendor, withoutVendor, withVendor } from "#signing/vendors-change.ts";
import { HostError } from "./errors.ts";
import type { HostLock } from "./lock.ts";
import { readIfThere } from "./state-file.ts";
import { readVendors } from "./vendors.ts";

export interface VendorsReport {
	readonly changed: boolean;
	readonly vendors: Vendors;
}

/** Trusts keys for hardware, under its issuer's name. VENDORS_MALFORMED; HOST_TRUST_THRESHOLD beyond the number of keys. */
export function trustVendor(
	lock: HostLock,
	request: HardwareRange & {
		readonly issuer: string;
		readonly keys: readonly PublicKey[];
		readonly threshold: number | undefined;
	},
): VendorsReport {
	return write(lock, withVendor(readVendors(lock.host), request));
}

/** Stops trusting anybody for hardware, or one key for it. HOST_TRUST_UNKNOWN, HOST_TRUST_THRESHOLD. */
export function distrustVendor(
	lock: HostLock,
	request: HardwareRange & { readonly keyid: string | undefined; readonly threshold: number | undefined },
): VendorsReport {
	const changed = withoutVendor(readVendors(lock.host), request);
	if (changed !== undefined) return write(lock, changed);
	const hardware = hardwareOf(request).join(", ");
	throw new HostError("HOST_TRUST_UNKNOWN", `no trusted vendor has ${hardware}`, {
		hint: "kfn trust vendor list shows whom this host trusts for which hardware",
		details: { hardware, keyid: request.keyid ?? null },
	});
}

function write(lock: HostLock, map: Vendors): VendorsReport {
	const { durable, layout } = lock.host;
	const wrong = unreachableVendor(map);
	if (wrong !== undefined) {
		const { threshold, keys } = wrong;
		const hardware = hardwareOf(wrong).join(", ");
		throw new HostError(
			"HOST_TRUST_THRESHOLD",
			`${hardware}: threshold ${threshold} with ${keys.length} keys`,
			{
				hint: "a threshold is a whole number from 1 to the number of keys; lower it or add keys first",
				details: { hardware, threshold, keys: keys.length },
			},
		);
	}
	const bytes = serializeVendors(map);
	// One that could not be read again would let no catalogue count.
	parseVendors(bytes);
	const before = readIfThere(layout.vendors);
	const changed = before === undefined || Buffer.compare(before, bytes) !== 0;
	if (changed) {
		durable.makeFolder(layout.trust);
		durable.writeFile(layout.vendors, bytes);
	}
	return { changed, vendors: map };
}
