// Who may say what hardware runs: etc/kfn/trust/vendors.json, then the registry's map of the verified set. Refuses to let a registry
// widen what the operator said of a device: the first entry that matches decides, alone.
import { parseVendors, type Vendors } from "#signing/vendors.ts";
import type { Host } from "./host.ts";
import { readIfThere } from "./state-file.ts";
import { vendorsOfSet } from "./trust-state/documents.ts";
import { readCurrentSet } from "./trust-state/state.ts";

/** The operator's own entries; none where the file does not exist. VENDORS_MALFORMED where it is anything else. */
export function readVendors(host: Host): Vendors {
	const bytes = readIfThere(host.layout.vendors);
	return bytes === undefined ? { vendors: [] } : parseVendors(bytes);
}

/** All entries that count, in the order in which they decide. VENDORS_MALFORMED, HOST_TRUST_DAMAGED. */
export function vendorsInForce(host: Host): Vendors {
	const set = readCurrentSet(host);
	const registry = set === undefined ? [] : vendorsOfSet(set).vendors;
	return { vendors: [...readVendors(host).vendors, ...registry] };
}
