// What an edit of the map of vendors changes, and that it changes nothing else.
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "./ed25519.ts";
import { mapOf, vendor } from "./testing/catalogues.ts";
import { parseVendors, serializeVendors, type Vendors } from "./vendors.ts";
import { unreachableVendor, withoutVendor, withVendor } from "./vendors-change.ts";

const ALL = { bus: "pci", vendor: "e9a1", devices: "all" } as const;
const SOME = { ...ALL, devices: ["1001", "1002"] } as const;

let ann: SecretKey;
let bob: SecretKey;
beforeAll(async () => {
	[ann, bob] = await Promise.all([generateKeyPair("ann"), generateKeyPair("bob")]);
});

/** `issuer:devices:keys/threshold` of each entry; what a host would not read fails here. */
function shown(map: Vendors | undefined): string[] {
	if (map === undefined) return ["unchanged"];
	return parseVendors(serializeVendors(map)).vendors.map(
		({ issuer, devices, keys, threshold }) =>
			`${issuer}:${devices === "all" ? "all" : devices.join(",")}:${keys.length}/${threshold}`,
	);
}
const add = (map: Vendors, change: Partial<Parameters<typeof withVendor>[1]> = {}) =>
	withVendor(map, { ...ALL, issuer: "new", keys: [bob.publicKey], threshold: undefined, ...change });

describe("keys for hardware", () => {
	test("the first entry, and one more key and a threshold for the same hardware", () => {
		const first = add(mapOf(), { keys: [ann.publicKey] });
		expect(shown(first)).toEqual(["new:all:1/1"]);
		expect(shown(add(first, { threshold: 2 }))).toEqual(["new:all:2/2"]);
		expect(shown(add(first, { keys: [ann.publicKey], issuer: "renamed" }))).toEqual(["renamed:all:1/1"]);
	});

	test("some devices stand before all of their vendor, and apart from where they stood", () => {
		const before = mapOf(vendor([ann], { vendor: "15b3", issuer: "other" }), vendor([ann]));
		expect(shown(add(before, SOME))).toEqual(["other:all:1/1", "new:1001,1002:1/1", "example:all:1/1"]);
		const split = mapOf(vendor([ann], { devices: ["1001", "1002", "1003"] }));
		expect(shown(add(split, SOME))).toEqual(["example:1003:1/1", "new:1001,1002:1/1"]);
		expect(shown(add(add(split, SOME)))).toEqual(["example:1003:1/1", "new:1001,1002:1/1", "new:all:1/1"]);
	});

	test("the same devices in another order are the same entry", () => {
		const before = mapOf(vendor([ann], { devices: ["1001", "1002"], threshold: 1 }));
		expect(shown(add(before, { devices: ["1002", "1001"] }))).toEqual(["new:1002,1001:2/1"]);
	});
});

describe("taking out", () => {
	const map = () =>
		mapOf(
			vendor([ann, bob], { devices: ["1001", "1002"], threshold: 2 }),
			vendor([ann]),
			vendor([ann], { bus: "usb" }),
		);

	test("all of a vendor, on its bus alone", () => {
		expect(shown(withoutVendor(map(), ALL))).toEqual(["example:all:1/1"]);
		expect(shown(withoutVendor(map(), { ...ALL, vendor: "15b3" }))).toEqual(["unchanged"]);
	});

	test("devices, which fall to whoever has all", () => {
		const one = { ...ALL, devices: ["1001"] };
		expect(shown(withoutVendor(map(), one))).toEqual([
			"example:1002:2/2",
			"example:all:1/1",
			"example:all:1/1",
		]);
		expect(shown(withoutVendor(map(), { ...ALL, devices: ["2000"] }))).toEqual(["unchanged"]);
	});

	test("a key, where it stands; an entry goes with its last one", () => {
		const { keyid } = ann.publicKey;
		const without = withoutVendor(map(), { ...ALL, keyid });
		expect(without && unreachableVendor(without)).toMatchObject({ threshold: 2 });
		expect(shown(withoutVendor(map(), { ...ALL, keyid, threshold: 1 }))).toEqual([
			"example:1001,1002:1/1",
			"example:all:1/1",
		]);
		expect(shown(withoutVendor(map(), { ...ALL, vendor: "15b3", keyid }))).toEqual(["unchanged"]);
	});
});
