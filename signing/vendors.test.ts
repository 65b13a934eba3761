// vendors.json: who may speak for which hardware. The first matching entry decides; what could be read in two ways is refused.
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeyPair } from "./ed25519.ts";
import { formatPublicKey } from "./public-key.ts";
import { parseVendors, serializeVendors, vendorFor } from "./vendors.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const refused = (code: string) => expect.objectContaining({ name: "SigningError", code, exit: 3 });
const parse = (vendors: unknown) => parseVendors(utf8(JSON.stringify({ schema: "kfn.vendors/1", vendors })));

let keys: string[];
beforeAll(async () => {
	const made = await Promise.all([1, 2, 3].map((n) => generateKeyPair(`key ${n}`)));
	keys = made.map((key) => formatPublicKey(key.publicKey));
});
const entry = (change: Record<string, unknown> = {}) => ({
	issuer: "example",
	bus: "pci",
	vendor: "e9a1",
	devices: "all" as unknown,
	threshold: 1,
	keys: [keys[0]!] as unknown,
	...change,
});

test("what is parsed comes out in the canonical spelling, and parses to the same", () => {
	const map = parse([entry({ devices: ["1001", "1000"], threshold: 2, keys }), entry({ bus: "usb" })]);
	const bytes = serializeVendors(map);
	expect(parseVendors(bytes)).toEqual(map);
	expect(Buffer.from(bytes).toString()).toMatch(/^\{\n {2}"schema": "kfn.vendors\/1",\n[\s\S]*\n\}\n$/);
});

test("people may lay it out as they like", () => {
	const text = `\t{ "vendors" : [ {"keys":["${keys[0]}"],\r\n "threshold": 1, "devices":"all", "vendor":"e9a1","bus":"pci","issuer":"a"} ],\n"schema":"kfn.vendors/1"}`;
	expect(parseVendors(utf8(text)).vendors[0]!.issuer).toBe("a");
});

describe("which entry decides", () => {
	test("some devices, all of a vendor, the first in order, and none", () => {
		const map = parse([
			entry({ devices: ["1001"], issuer: "a" }),
			entry({ issuer: "b" }),
			entry({ devices: ["1002"], issuer: "never" }),
			entry({ bus: "usb", issuer: "c" }),
		]);
		const at = (bus: string, device: string, vendor = "e9a1") =>
			vendorFor(map, { bus, vendor, device }).issuer;
		expect([at("pci", "1001"), at("pci", "1002"), at("pci", "ffff"), at("usb", "1001")]).toEqual([
			"a",
			"b",
			"b",
			"c",
		]);
		for (const [bus, vendor] of [
			["pci", "e9a2"],
			["platform", "e9a1"],
		] as const) {
			expect(() => at(bus, "1001", vendor)).toThrow(refused("VENDORS_NO_MATCH"));
		}
	});
});

describe("malformed", () => {
	const cases: [string, () => unknown][] = [
		["no list", () => ({})],
		["a field too many", () => [entry({ more: 1 })]],
		["a field too few", () => [{ ...entry(), issuer: undefined }]],
		["issuer", () => [entry({ issuer: "Example" })]],
		["bus", () => [entry({ bus: "" })]],
		["vendor with 0x", () => [entry({ vendor: "0xe9a1" })]],
		["a wildcard vendor", () => [entry({ vendor: "*" })]],
		["a wildcard device", () => [entry({ devices: ["*"] })]],
		["any other word for all", () => [entry({ devices: "any" })]],
		["no device", () => [entry({ devices: [] })]],
		["a device twice in an entry", () => [entry({ devices: ["1001", "1001"] })]],
		["a device twice in the file", () => [entry({ devices: ["1001"] }), entry({ devices: ["1001"] })]],
		["all of a vendor twice", () => [entry(), entry({ issuer: "b" })]],
		["no key", () => [entry({ keys: [] })]],
		["a key twice", () => [entry({ keys: [keys[0], keys[0]], threshold: 2 })]],
		["a key twice, with another comment", () => [entry({ keys: [keys[0], `${keys[0]}!`], threshold: 2 })]],
		["threshold 0", () => [entry({ threshold: 0 })]],
		["threshold out of reach", () => [entry({ threshold: 2 })]],
		["threshold as text", () => [entry({ threshold: "1" })]],
	];
	test.each(cases)("%s", (_, vendors) =>
		expect(() => parse(vendors())).toThrow(refused("VENDORS_MALFORMED")),
	);

	test("a bad key line carries the code of the key", () => {
		const bad = keys[0]!.replace(/ [0-9a-f]{4}/, " 0000");
		expect(() => parse([entry({ keys: [bad] })])).toThrow(
			expect.objectContaining({ details: expect.objectContaining({ key: "KEY_ID_MISMATCH" }) }),
		);
	});

	test("another schema, a field twice, more than 1 MiB", () => {
		const body = '"vendors":[]';
		for (const text of [
			`{"schema":"kfn.publishers/1",${body}}`,
			`{"schema":"kfn.vendors/1",${body},${body}}`,
			`{"schema":"kfn.vendors/1",${body}}${" ".repeat(1024 * 1024)}`,
		]) {
			expect(() => parseVendors(utf8(text))).toThrow(refused("VENDORS_MALFORMED"));
		}
	});
});
