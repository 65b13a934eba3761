// Which catalogue speaks for a device, and the named reason where none does. Real files, real signatures; each refusal that somebody
// could provoke carries the attack's name.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newCatalogue } from "#signing/catalogue.ts";
import type { Catalogue } from "#signing/catalogue-payload.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { type DsseEnvelope, serializeDsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { CATALOGUE, mapOf, OLD_TAG, TAG, vendor } from "#signing/testing/catalogues.ts";
import { serializeVendors, type Vendor } from "#signing/vendors.ts";
import { type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { EMPTY_MARK, writeMark } from "../trust-state/mark.ts";
import { storeCatalogues } from "./catalogue-files.ts";
import { catalogueSource } from "./catalogue-source.ts";
import type { Identity, SourceAnswer } from "./source.ts";

/** The fake host's clock stands at 2026-11-23T10:00:00Z. */
const IN_FORCE = { ...CATALOGUE, issued: "2026-11-01T00:00:00Z", expires: "2027-11-01T00:00:00Z" };
const IDENTITY: Identity = {
	device: "eth0",
	bus: "pci",
	driver: "exnic",
	vendor: "e9a1",
	deviceId: "1001",
	firmware: "2.0",
};

let samples: Samples;
let ann: SecretKey;
let eve: SecretKey;
let fake: FakeHost;
beforeAll(async () => {
	[samples, ann, eve] = await Promise.all([makeSamples(), generateKeyPair(), generateKeyPair()]);
});
beforeEach(() => {
	fake = openFakeHost(samples);
	trust(vendor([ann]));
});
afterEach(() => fake[Symbol.dispose]());

function trust(...vendors: Vendor[]): void {
	const { layout } = fake.host;
	mkdirSync(layout.trust, { recursive: true });
	writeFileSync(layout.vendors, serializeVendors(mapOf(...vendors)));
}

async function signed(change: Partial<Catalogue> = {}, key = ann): Promise<DsseEnvelope> {
	return signDsseEnvelope(newCatalogue({ ...IN_FORCE, ...change }), key);
}

/** The operator's own file. */
function place(name: string, bytes: DsseEnvelope | string): void {
	const { catalogues } = fake.host.layout;
	mkdirSync(catalogues, { recursive: true });
	writeFileSync(join(catalogues, name), typeof bytes === "string" ? bytes : serializeDsseEnvelope(bytes));
}

const ask = (identity: Partial<Identity> = {}): Promise<SourceAnswer> =>
	catalogueSource(fake.host).claims({ ...IDENTITY, ...identity });
const askAndRemember = (): Promise<SourceAnswer> =>
	fake.locked((lock) => catalogueSource(fake.host, lock).claims(IDENTITY));
const none = (reason: string, why = "") => ({
	kind: "none",
	reason,
	why: expect.stringContaining(why) as string,
});
const tags = (answer: SourceAnswer) =>
	answer.kind === "claims" ? answer.claims.map(({ tag }) => tag) : answer;

describe("the catalogue that speaks for a device", () => {
	test("says what its firmware runs, and who says so", async () => {
		place("ex.json", await signed());
		expect(await ask()).toEqual({
			kind: "claims",
			claims: [
				{ source: "catalogue", function: "tso", abi: 1, tag: OLD_TAG, config: "any", limits: {}, from: FROM },
				{
					source: "catalogue",
					function: "tso",
					abi: 1,
					tag: TAG,
					config: "any",
					limits: { maxSegments: 64, headerDepth: 256, protocols: ["ipv4", "tcp"] },
					from: FROM,
				},
			],
		});
		expect(tags(await ask({ firmware: "1.9 (b)" }))).toEqual([OLD_TAG]);
	});

	test("comes from a registry as well, and the highest serial of both places counts alone", async () => {
		const [own, theirs] = [
			await signed({ serial: 4 }),
			await signed({ serial: 5, entries: [IN_FORCE.entries[1]!] }),
		];
		place("ex.json", own);
		await fake.locked((lock) => storeCatalogues(lock, "pci-e9a1", [theirs]));
		expect(tags(await ask())).toEqual([TAG]);
		// No entry of the newest holds for this firmware: the older one is not asked.
		expect(tags(await ask({ firmware: "1.0" }))).toEqual([]);
	});

	test("counts beside files that do not: they are nothing", async () => {
		place("a.json", "{}");
		place("b.json", await signed({ serial: 99 }, eve));
		place("c.json", newCatalogue({ ...IN_FORCE, serial: 98 }));
		place("d.json", await signed());
		place("e.json", await signed({ serial: 97, issued: "2026-12-01T00:00:00Z" }));
		place("f.txt", "no catalogue");
		expect(tags(await ask())).toEqual([OLD_TAG, TAG]);
	});

	test("is of exactly the driver, the ids and the board", async () => {
		place("ex.json", await signed({ device: { ...IN_FORCE.device, subsystems: ["8086:0001"] } }));
		const subsystem = { vendor: "8086", device: "0001" };
		expect(tags(await ask({ subsystem }))).toEqual([OLD_TAG, TAG]);
		for (const other of [
			{ subsystem: { vendor: "8086", device: "0002" } },
			{},
			{ subsystem, driver: "exnic_oot" },
			{ subsystem, bus: "usb" },
			{ subsystem, deviceId: "1003" },
			{ subsystem, vendor: "e9a2" },
		]) {
			expect(await ask(other)).toEqual(none("none"));
		}
	});
});

describe("the named reason where none does", () => {
	test("none: no file, and a device that has no ids", async () => {
		expect(await ask()).toEqual(none("none", "pci e9a1:1001"));
		expect(await ask({ bus: null, vendor: null, deviceId: null })).toEqual(none("none", "eth0"));
	});

	test("wrong firmware: one that is not listed, however alike, and none", async () => {
		place("ex.json", await signed());
		for (const firmware of ["2.1", "2.0 ", "2.0.0", ""]) {
			expect(await ask({ firmware })).toEqual(none("wrong-firmware", "1.0, 1.9 (b), 2.0"));
		}
		expect(await ask({ firmware: null })).toEqual(none("wrong-firmware", "no firmware version"));
	});

	test("not yet", async () => {
		place("ex.json", await signed({ issued: "2026-11-23T10:05:01Z" }));
		expect(await ask()).toEqual(none("not-yet", "2026-11-23T10:05:01Z"));
	});

	test("malformed: a file that is no catalogue, by its name", async () => {
		place("bad.json", "{}");
		expect(await ask()).toEqual(none("malformed", "bad.json"));
	});

	test("unreadable: the operator's map, and the host's memory", async () => {
		place("ex.json", await signed());
		writeFileSync(fake.host.layout.vendors, "{}");
		expect(await ask()).toEqual(none("unreadable", "vendors.json"));
		trust(vendor([ann]));
		mkdirSync(fake.host.layout.state, { recursive: true });
		writeFileSync(fake.host.layout.cataloguesSeen, "{}");
		expect(await ask()).toEqual(none("unreadable", "catalogues-seen.json"));
	});
});

describe("attacks", () => {
	test("unsigned catalogue", async () => {
		place("ex.json", newCatalogue(IN_FORCE));
		expect(await ask()).toEqual(none("unsigned", "ex.json"));
	});

	test("a stranger's catalogue, and hardware that nobody may speak for", async () => {
		place("ex.json", await signed({}, eve));
		expect(await ask()).toEqual(none("untrusted"));
		trust();
		expect(await ask()).toEqual(none("untrusted"));
	});

	test("a vendor signs for another's hardware", async () => {
		trust(vendor([ann]), vendor([eve], { issuer: "other", vendor: "15b3" }));
		place("ex.json", await signed({}, eve));
		expect(await ask()).toEqual(none("foreign-vendor", "other"));
	});

	test("one of two keys signs, and its signature stands there twice", async () => {
		trust(vendor([ann, eve], { threshold: 2 }));
		place("ex.json", await signed());
		expect(await ask()).toEqual(none("untrusted", "1 of the vendor's keys"));
		const text = Buffer.from(serializeDsseEnvelope(await signed())).toString();
		const [signature] = /\{\n {6}"keyid"[^}]*\}/.exec(text) ?? [""];
		place("ex.json", text.replace(signature, `${signature},\n    ${signature}`));
		expect(await ask()).toEqual(none("malformed", "twice"));
	});

	test("an expired catalogue, also with the clock set back behind what was seen", async () => {
		place("ex.json", await signed({ expires: "2026-11-23T10:00:00Z" }));
		expect(await ask()).toEqual(none("expired", "2026-11-23T10:00:00Z"));
		place("ex.json", await signed({ expires: "2026-11-23T10:00:01Z" }));
		expect(tags(await ask())).toEqual([OLD_TAG, TAG]);
		await fake.locked((lock) => writeMark(lock, { ...EMPTY_MARK, time: "2026-11-23T10:00:02.000Z" }));
		expect(await ask()).toEqual(none("expired", "2026-11-23T10:00:01Z"));
	});

	test("an expired newest one does not bring an older one back", async () => {
		place("old.json", await signed({ serial: 3 }));
		place("new.json", await signed({ serial: 4, expires: "2026-11-20T00:00:00Z" }));
		expect(await ask()).toEqual(none("expired", "new.json"));
	});

	test("an older serial replayed after a newer one was seen", async () => {
		place("ex.json", await signed({ serial: 5 }));
		expect(tags(await askAndRemember())).toEqual([OLD_TAG, TAG]);
		place("ex.json", await signed({ serial: 4 }));
		expect(await ask()).toEqual(none("replayed", "this host has seen 5"));
		expect(await askAndRemember()).toEqual(none("replayed"));
		place("ex.json", await signed({ serial: 6 }));
		expect(tags(await askAndRemember())).toEqual([OLD_TAG, TAG]);
		place("ex.json", await signed({ serial: 5 }));
		expect(await ask()).toEqual(none("replayed", "this host has seen 6"));
	});

	test("one serial with two contents, beside each other and one after the other", async () => {
		const other = { entries: [IN_FORCE.entries[1]!] };
		place("a.json", await signed());
		place("b.json", await signed(other));
		expect(await askAndRemember()).toEqual(none("replayed", "different things"));
		rmSync(join(fake.host.layout.catalogues, "b.json"));
		expect(tags(await askAndRemember())).toEqual([OLD_TAG, TAG]);
		place("a.json", await signed(other));
		expect(await ask()).toEqual(none("replayed", "not the catalogue of serial 4"));
	});

	test("a fresh line of serials under another issuer's name", async () => {
		place("ex.json", await signed({ serial: 5 }));
		await askAndRemember();
		place("ex.json", await signed({ serial: 1, issuer: "example-2" }));
		expect(await ask()).toEqual(none("untrusted", "example-2"));
	});

	test("what does not count is not remembered, and nothing is without the lock", async () => {
		place("a.json", await signed({ serial: 99 }, eve));
		place("b.json", await signed({ serial: 98, issued: "2026-12-01T00:00:00Z" }));
		place("c.json", await signed({ serial: 4 }));
		await ask();
		expect(() => readFileSync(fake.host.layout.cataloguesSeen)).toThrow("ENOENT");
		await askAndRemember();
		const { seen } = JSON.parse(readFileSync(fake.host.layout.cataloguesSeen, "utf8"));
		expect(seen).toMatchObject([{ issuer: "example", serial: 4, device: "1001", subsystem: null }]);
		place("c.json", await signed({ serial: 5 }));
		await ask();
		place("c.json", await signed({ serial: 4 }));
		expect(tags(await ask())).toEqual([OLD_TAG, TAG]);
	});

	test("the operator's entry for a device is not widened by a later one", async () => {
		trust(vendor([eve], { devices: ["1001"], issuer: "lab" }), vendor([ann]));
		place("ex.json", await signed());
		expect(await ask()).toEqual(none("foreign-vendor"));
		expect(tags(await ask({ deviceId: "1002" }))).toEqual([OLD_TAG, TAG]);
	});
});

test("whatever stands in either folder, there is an answer with a name", async () => {
	await fake.locked((lock) => storeCatalogues(lock, "pci-e9a1", []));
	const { catalogues, fetchedCatalogues } = fake.host.layout;
	const envelope = serializeDsseEnvelope(await signed());
	place("ex.json", await signed());
	await fake.locked(async (lock) => storeCatalogues(lock, "pci-e9a1", [await signed()]));
	const document = readFileSync(join(fetchedCatalogues, "pci-e9a1.json"));
	rmSync(join(catalogues, "ex.json"));
	const outcomes = new Set<string>();
	for (const [path, original] of [
		[join(catalogues, "ex.json"), Buffer.from(envelope)],
		[join(fetchedCatalogues, "pci-e9a1.json"), document],
	] as const) {
		for (let at = 0; at < original.length; at += 23) {
			const bytes = Buffer.from(original);
			bytes[at]! ^= 1 << (at % 8);
			writeFileSync(path, at % 3 === 0 ? bytes.subarray(0, at) : bytes);
			const answer = await ask();
			// Only what says the same may still count.
			if (answer.kind === "claims") expect(tags(answer)).toEqual([OLD_TAG, TAG]);
			outcomes.add(answer.kind === "none" ? answer.reason : answer.kind);
		}
		rmSync(path);
	}
	expect(["claims", "malformed", "none", "untrusted"]).toEqual(expect.arrayContaining([...outcomes]));
	expect([...outcomes]).toEqual(expect.arrayContaining(["malformed", "untrusted"]));
});

const FROM = "example ex100, serial 4";
