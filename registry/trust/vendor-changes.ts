// kfn registry vendor: who may say what hardware runs, changed in the registry's map of vendors. Refuses what would leave hardware
// with fewer keys than its threshold.
import type { SecretKey } from "#signing/ed25519.ts";
import type { PublicKey } from "#signing/public-key.ts";
import { hardwareOf, type Vendors } from "#signing/vendors.ts";
import { type HardwareRange, unreachableVendor, withoutVendor, withVendor } from "#signing/vendors-change.ts";
import { RegistryError } from "../api/errors.ts";
import type { Ceremony, CeremonyResult } from "./ceremony.ts";

export interface VendorRequest extends HardwareRange {
	readonly threshold: number | undefined;
}

/** Keys for hardware, under the issuer's name that its catalogues must give. VENDORS_MALFORMED, REGISTRY_VENDOR_THRESHOLD. */
export function addVendor(
	ceremony: Ceremony,
	request: VendorRequest & { readonly issuer: string; readonly keys: readonly PublicKey[] },
	secrets: readonly SecretKey[],
): Promise<CeremonyResult> {
	return ceremony.changeVendors((map) => reachable(withVendor(map, request)), secrets);
}

/** A key of hardware, or the hardware with all its keys: what they signed counts no more. REGISTRY_VENDOR_UNKNOWN. */
export function removeVendor(
	ceremony: Ceremony,
	request: VendorRequest & { readonly key: PublicKey | undefined },
	secrets: readonly SecretKey[],
): Promise<CeremonyResult> {
	const { key } = request;
	return ceremony.changeVendors((map) => {
		const without = withoutVendor(map, { ...request, keyid: key?.keyid });
		if (without === undefined) throw unknownVendor(request, key);
		return reachable(without);
	}, secrets);
}

function reachable(map: Vendors): Vendors {
	const wrong = unreachableVendor(map);
	if (wrong === undefined) return map;
	const { threshold, keys } = wrong;
	const hardware = hardwareOf(wrong);
	throw new RegistryError(
		"REGISTRY_VENDOR_THRESHOLD",
		`${hardware.join(", ")}: ${threshold} of ${keys.length} keys would have to sign`,
		{
			hint: "give --threshold K, or add a key first (kfn registry vendor add): both changes go into one draft",
			details: { hardware, threshold, keys: keys.length },
		},
	);
}

function unknownVendor(range: HardwareRange, key: PublicKey | undefined): RegistryError {
	const hardware = hardwareOf(range).join(", ");
	const what = key === undefined ? hardware : `${hardware} with the key ${key.keyid}`;
	return new RegistryError("REGISTRY_VENDOR_UNKNOWN", `the map of vendors has no entry for ${what}`, {
		hint: "kfn registry vendor list shows the entries",
		details: { hardware, keyid: key?.keyid ?? null },
	});
}
