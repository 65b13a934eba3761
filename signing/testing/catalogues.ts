// A catalogue and maps of vendors that several tests share. Product code never imports it.
import type { Catalogue, CatalogueEntry } from "../catalogue-payload.ts";
import type { SecretKey } from "../ed25519.ts";
import type { Vendor, Vendors } from "../vendors.ts";

export const TAG = `kfn1:${"c4".repeat(32)}`;
export const OLD_TAG = `kfn1:${"0b".repeat(32)}`;
const NO_LIMITS = { maxSegments: null, headerDepth: null, protocols: null };

export const ENTRY: CatalogueEntry = {
	function: "tso",
	abi: 1,
	tag: TAG,
	config: "any",
	limits: { maxSegments: 64, headerDepth: 256, protocols: ["ipv4", "tcp"] },
	sinceFirmware: "2.0",
	untilFirmware: null,
};

export const CATALOGUE: Catalogue = {
	id: "ex100",
	issuer: "example",
	serial: 4,
	issued: "2026-11-28T12:00:00Z",
	expires: "2027-11-28T12:00:00Z",
	device: {
		bus: "pci",
		driver: "exnic",
		vendor: "e9a1",
		devices: ["1001", "1002"],
		subsystems: null,
		firmware: ["1.0", "1.9 (b)", "2.0"],
	},
	entries: [{ ...ENTRY, tag: OLD_TAG, limits: NO_LIMITS, sinceFirmware: null }, ENTRY],
};

/** An entry of the map for all devices of the catalogue's vendor, unless told otherwise. */
export function vendor(keys: readonly SecretKey[], change: Partial<Vendor> = {}): Vendor {
	return {
		issuer: "example",
		bus: "pci",
		vendor: "e9a1",
		devices: "all",
		threshold: 1,
		keys: keys.map(({ publicKey }) => publicKey),
		...change,
	};
}

export const mapOf = (...vendors: Vendor[]): Vendors => ({ vendors });
