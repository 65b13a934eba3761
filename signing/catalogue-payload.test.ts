// What a catalogue may say: one spelling, no two answers to one question, nothing without an end; and its JSON Schema agrees.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { type Catalogue, parseCatalogue, serializeCatalogue, sortEntries } from "./catalogue-payload.ts";
import { CATALOGUE, ENTRY, OLD_TAG, TAG } from "./testing/catalogues.ts";

const refused = expect.objectContaining({ name: "SigningError", code: "CATALOGUE_MALFORMED", exit: 3 });
const bytesOf = (value: unknown) => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
const SCHEMA = join(import.meta.dirname, "../docs/formats/catalogue.schema.json");
const fitsSchema = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(
	JSON.parse(readFileSync(SCHEMA, "utf8")) as object,
);
type Loose = Record<string, unknown>;
const good = () => JSON.parse(Buffer.from(serializeCatalogue(CATALOGUE)).toString()) as Loose;
const device = (change: Loose) => ({ ...good(), device: { ...(good()["device"] as Loose), ...change } });
const entry = (change: Loose) => ({ ...good(), entries: [{ ...ENTRY, ...change }] });
const limits = (change: Loose) => entry({ limits: { ...ENTRY.limits, ...change } });

test("what is parsed comes out in its one spelling", () => {
	const bytes = serializeCatalogue(CATALOGUE);
	expect(parseCatalogue(bytes)).toEqual(CATALOGUE);
	expect(Buffer.from(serializeCatalogue(parseCatalogue(bytes)))).toEqual(Buffer.from(bytes));
	expect(fitsSchema(good()), JSON.stringify(fitsSchema.errors)).toBe(true);
});

test("other buses have other ids, and boards are named on pci alone", () => {
	const platform = { bus: "platform", vendor: "acme-corp", devices: ["imx6q-fec", "nic,v2"], driver: "fec" };
	for (const value of [device(platform), device({ subsystems: ["8086:0001", "8086:0002"] })]) {
		expect(parseCatalogue(bytesOf(value)).id).toBe("ex100");
		expect(fitsSchema(value), JSON.stringify(fitsSchema.errors)).toBe(true);
	}
	const wrong = device({ ...platform, subsystems: ["8086:0001"] });
	expect(() => parseCatalogue(bytesOf(wrong))).toThrow(refused);
	expect(fitsSchema(wrong)).toBe(false);
});

describe("refused by the parser and by the schema", () => {
	const cases: [string, unknown][] = [
		["no object", []],
		["a field too many", { ...good(), more: 1 }],
		["a field too few", { ...good(), issuer: undefined }],
		["another schema", { ...good(), schema: "kfn.catalogue/2" }],
		["id", { ...good(), id: "Ex100" }],
		["issuer", { ...good(), issuer: "-example" }],
		["serial 0", { ...good(), serial: 0 }],
		["serial as text", { ...good(), serial: "4" }],
		["serial with a fraction", { ...good(), serial: 1.5 }],
		["a time of another spelling", { ...good(), issued: "2026-11-28T12:00:00.000Z" }],
		["bus", device({ bus: "PCI" })],
		["driver", device({ driver: "../exnic" })],
		["vendor with 0x", device({ vendor: "0xe9a1" })],
		["vendor in capitals", device({ vendor: "E9A1" })],
		["no device", device({ devices: [] })],
		["a device of five digits", device({ devices: ["10010"] })],
		["a device twice", device({ devices: ["1001", "1001"] })],
		["too many devices", device({ devices: Array.from({ length: 257 }, (_, i) => hex(i)) })],
		["a board without its device", device({ subsystems: ["8086"] })],
		["no firmware", device({ firmware: [] })],
		["a firmware twice", device({ firmware: ["2.0", "2.0"] })],
		["an empty firmware", device({ firmware: ["", "2.0"] })],
		["a firmware with a line's end", device({ firmware: ["2.0", "2.0\n"] })],
		["a device's field too many", device({ more: 1 })],
		["no entry", { ...good(), entries: [] }],
		["function", entry({ function: "tso/1" })],
		["abi 0", entry({ abi: 0 })],
		["tag of another kind", entry({ tag: `kfn2:${"0".repeat(64)}` })],
		["tag in capitals", entry({ tag: TAG.toUpperCase() })],
		["config", entry({ config: "ANY" })],
		["no limit at all", entry({ limits: {} })],
		["maxSegments 0", limits({ maxSegments: 0 })],
		["headerDepth beyond 16 bits", limits({ headerDepth: 65536 })],
		["no protocol", limits({ protocols: [] })],
		["a protocol twice", limits({ protocols: ["tcp", "tcp"] })],
		["a protocol in capitals", limits({ protocols: ["TCP"] })],
		["an entry's field too many", entry({ more: 1 })],
	];
	test.each(cases)("%s", (_, value) => {
		expect(() => parseCatalogue(bytesOf(value))).toThrow(refused);
		expect(fitsSchema(JSON.parse(JSON.stringify(value)))).toBe(false);
	});
});

describe("refused by the parser, which knows orders and times", () => {
	const cases: [string, unknown][] = [
		["a time that there is not", { ...good(), issued: "2026-02-30T12:00:00Z" }],
		["expiry before issue", { ...good(), expires: CATALOGUE.issued }],
		["in force for more than 400 days", { ...good(), expires: "2028-01-02T12:00:01Z" }],
		["devices that are not sorted", device({ devices: ["1002", "1001"] })],
		["boards that are not sorted", device({ subsystems: ["8086:0002", "8086:0001"] })],
		["protocols that are not sorted", limits({ protocols: ["tcp", "ipv4"] })],
		["since a firmware that is not listed", entry({ sinceFirmware: "3.0" })],
		["until a firmware that is not listed", entry({ untilFirmware: "1.9" })],
		["until before since", entry({ sinceFirmware: "2.0", untilFirmware: "1.0" })],
		["entries that are not sorted", { ...good(), entries: [ENTRY, { ...ENTRY, tag: OLD_TAG }] }],
		["an entry twice", { ...good(), entries: [ENTRY, ENTRY] }],
		[
			"two limits for one firmware",
			{
				...good(),
				entries: [
					{ ...ENTRY, sinceFirmware: "1.0", untilFirmware: "2.0" },
					{ ...ENTRY, sinceFirmware: "2.0", limits: { ...ENTRY.limits, maxSegments: 1 } },
				],
			},
		],
	];
	test.each(cases)("%s", (_, value) => expect(() => parseCatalogue(bytesOf(value))).toThrow(refused));

	test("other spellings of the same", () => {
		const text = Buffer.from(serializeCatalogue(CATALOGUE)).toString();
		const { schema, ...rest } = good();
		for (const other of [
			text.slice(0, -1),
			`${text}\n`,
			JSON.stringify(JSON.parse(text)),
			text.replaceAll("  ", "\t"),
			text.replace('"serial": 4', '"serial": 4.0'),
			text.replace('"ex100"', '"\\u0065x100"'),
			`\ufeff${text}`,
			Buffer.from(bytesOf({ ...rest, schema })).toString(),
		]) {
			expect(() => parseCatalogue(new TextEncoder().encode(other))).toThrow(refused);
		}
	});

	test("more than 64 KiB", () => {
		const many = Array.from({ length: 256 }, (_, i): Catalogue["entries"][number] => {
			return { ...ENTRY, tag: `kfn1:${hex(i).repeat(16)}`, sinceFirmware: "2.0" };
		});
		const catalogue = { ...CATALOGUE, entries: sortEntries(many, CATALOGUE.device.firmware) };
		expect(() => parseCatalogue(serializeCatalogue(catalogue))).toThrow(refused);
	});
});

test("adjoining ranges of firmware are no two answers", () => {
	const entries = [
		{ ...ENTRY, sinceFirmware: "1.0", untilFirmware: "1.9 (b)" },
		{ ...ENTRY, sinceFirmware: "2.0", limits: { ...ENTRY.limits, maxSegments: 1 } },
	];
	const sorted = sortEntries(entries.toReversed(), CATALOGUE.device.firmware);
	expect(sorted).toEqual(entries);
	expect(parseCatalogue(serializeCatalogue({ ...CATALOGUE, entries: sorted })).entries).toEqual(entries);
});

function hex(n: number): string {
	return n.toString(16).padStart(4, "0");
}
