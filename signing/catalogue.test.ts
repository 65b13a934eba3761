// Catalogues: whose word counts for which hardware, and when. Each refusal is an attack with a name.
import { beforeAll, describe, expect, test } from "vitest";
import {
	CATALOGUE_PAYLOAD_TYPE,
	catalogueOfValue,
	demandCatalogueInForce,
	entriesFor,
	newCatalogue,
	openCatalogue,
	parseCatalogueFile,
	unverifiedCatalogue,
} from "./catalogue.ts";
import { MANIFEST_PAYLOAD_TYPE, pae } from "./dsse.ts";
import { generateKeyPair, type SecretKey, sign } from "./ed25519.ts";
import { type DsseEnvelope, envelopeValue, serializeDsseEnvelope, signDsseEnvelope } from "./envelope.ts";
import { PERMIT_PAYLOAD_TYPE } from "./permit.ts";
import { CATALOGUE, mapOf, OLD_TAG, TAG, vendor } from "./testing/catalogues.ts";

const DEVICE = { bus: "pci", vendor: "e9a1", device: "1001" };
const refused = (code: string, exit: 1 | 3 = 3) =>
	expect.objectContaining({ name: "SigningError", code, exit });

let ann: SecretKey;
let bob: SecretKey;
let eve: SecretKey;
let one: DsseEnvelope;
let both: DsseEnvelope;
beforeAll(async () => {
	[ann, bob, eve] = await Promise.all([generateKeyPair(), generateKeyPair(), generateKeyPair()]);
	one = await signDsseEnvelope(newCatalogue(CATALOGUE), ann);
	both = await signDsseEnvelope(one, bob);
});

describe("a catalogue of its vendor", () => {
	test("opens with all signatures that the map asks for", async () => {
		expect(await openCatalogue(one, mapOf(vendor([ann])), DEVICE)).toEqual(CATALOGUE);
		expect(await openCatalogue(both, mapOf(vendor([ann, bob], { threshold: 2 })), DEVICE)).toEqual(CATALOGUE);
	});

	test("is the same in a file and in another document", () => {
		const bytes = serializeDsseEnvelope(both);
		expect(unverifiedCatalogue(parseCatalogueFile(bytes))).toEqual(CATALOGUE);
		const embedded = catalogueOfValue(JSON.parse(JSON.stringify(envelopeValue(both))));
		expect(Buffer.from(serializeDsseEnvelope(embedded))).toEqual(Buffer.from(bytes));
	});

	test("counts for the device in question, though another of its devices is somebody else's", async () => {
		const map = mapOf(vendor([bob], { devices: ["1002"] }), vendor([ann]));
		await openCatalogue(one, map, DEVICE);
		await expect(openCatalogue(one, map, { ...DEVICE, device: "1002" })).rejects.toEqual(
			refused("CATALOGUE_FOREIGN"),
		);
		await expect(openCatalogue(one, map)).rejects.toEqual(refused("CATALOGUE_FOREIGN"));
	});

	test("says by exact firmware what runs: the order is the list's, and what is not listed is not spoken of", async () => {
		const catalogue = await openCatalogue(one, mapOf(vendor([ann])), DEVICE);
		const tags = (version: string) => entriesFor(catalogue, version)?.map(({ tag }) => tag);
		expect(tags("1.0")).toEqual([OLD_TAG]);
		expect(tags("1.9 (b)")).toEqual([OLD_TAG]);
		expect(tags("2.0")).toEqual([OLD_TAG, TAG]);
		for (const other of ["2.0.0", "2.1", "1.9", "1.9 (B)", " 2.0", ""]) expect(tags(other)).toBeUndefined();
	});

	test("is in force from its issue, less the skew, until the second of its expiry", async () => {
		const catalogue = await openCatalogue(one, mapOf(vendor([ann])), DEVICE);
		demandCatalogueInForce(catalogue, new Date("2026-11-28T11:55:00Z"));
		demandCatalogueInForce(catalogue, new Date("2027-11-28T11:59:59.999Z"));
	});
});

describe("attacks", () => {
	test("a vendor signs for another's hardware", async () => {
		const theirs = vendor([eve], { issuer: "other", vendor: "15b3" });
		const forged = await signDsseEnvelope(newCatalogue(CATALOGUE), eve);
		await expect(openCatalogue(forged, mapOf(vendor([ann]), theirs), DEVICE)).rejects.toEqual(
			refused("CATALOGUE_FOREIGN"),
		);
		await expect(openCatalogue(forged, mapOf(theirs), DEVICE)).rejects.toEqual(refused("CATALOGUE_FOREIGN"));
	});

	test("a vendor's keys for some of its devices sign for the others", async () => {
		const map = mapOf(vendor([ann], { devices: ["1002"] }), vendor([bob]));
		await expect(openCatalogue(one, map, DEVICE)).rejects.toEqual(refused("CATALOGUE_FOREIGN"));
	});

	test("the same vendor id on another bus", async () => {
		const usb = mapOf(vendor([ann], { bus: "usb" }));
		await expect(openCatalogue(one, usb, DEVICE)).rejects.toEqual(refused("CATALOGUE_FOREIGN"));
		await expect(openCatalogue(one, usb, { ...DEVICE, bus: "usb" })).rejects.toEqual(
			refused("CATALOGUE_DEVICE", 1),
		);
	});

	test("a good catalogue held before another device of the vendor", () =>
		expect(openCatalogue(one, mapOf(vendor([ann])), { ...DEVICE, device: "2000" })).rejects.toEqual(
			refused("CATALOGUE_DEVICE", 1),
		));

	test("hardware that nobody may speak for", () =>
		expect(openCatalogue(one, mapOf(), DEVICE)).rejects.toEqual(refused("VENDORS_NO_MATCH")));

	test("another issuer's name, with its own line of serials", () =>
		expect(openCatalogue(one, mapOf(vendor([ann], { issuer: "example-2" })), DEVICE)).rejects.toEqual(
			refused("CATALOGUE_ISSUER"),
		));

	test("unsigned catalogue", () =>
		expect(openCatalogue(newCatalogue(CATALOGUE), mapOf(vendor([ann])), DEVICE)).rejects.toEqual(
			refused("SIGNATURE_MISSING"),
		));

	test("a stranger's catalogue, and a stranger beside enough good ones", async () => {
		const strange = await signDsseEnvelope(newCatalogue(CATALOGUE), eve);
		const beside = await signDsseEnvelope(one, eve);
		for (const envelope of [strange, beside]) {
			await expect(openCatalogue(envelope, mapOf(vendor([ann])), DEVICE)).rejects.toEqual(
				refused("SIGNATURE_UNKNOWN_KEY"),
			);
		}
	});

	test("too few signers, and one key counted twice", async () => {
		const two = mapOf(vendor([ann, bob], { threshold: 2 }));
		await expect(openCatalogue(one, two, DEVICE)).rejects.toEqual(refused("SIGNATURE_THRESHOLD"));
		const value = envelopeValue(one);
		const twice = { ...value, signatures: [value.signatures[0], value.signatures[0]] };
		expect(() => catalogueOfValue(twice)).toThrow(refused("SIGNATURE_REPEATED"));
		// In memory no parser stands before it: the count itself must be of keys.
		const doubled = { ...one, signatures: [one.signatures[0]!, one.signatures[0]!] };
		await expect(openCatalogue(doubled, two, DEVICE)).rejects.toEqual(refused("SIGNATURE_THRESHOLD"));
	});

	test("forged: any bit of the payload changed after signing", async () => {
		const map = mapOf(vendor([ann]));
		for (let at = 0; at < one.payload.length; at++) {
			const payload = new Uint8Array(one.payload);
			payload[at]! ^= 1;
			await expect(openCatalogue({ ...one, payload }, map, DEVICE)).rejects.toEqual(
				refused("SIGNATURE_INVALID"),
			);
		}
	});

	test("changed while it is verified", async () => {
		const payload = new Uint8Array(one.payload);
		const opening = openCatalogue({ ...one, payload }, mapOf(vendor([ann])), DEVICE);
		payload.fill(0x20);
		expect(await opening).toEqual(CATALOGUE);
	});

	test("a signature over the same bytes as something else", async () => {
		for (const type of [MANIFEST_PAYLOAD_TYPE, PERMIT_PAYLOAD_TYPE]) {
			const { payload } = newCatalogue(CATALOGUE);
			const signatures = [{ keyid: ann.publicKey.keyid, sig: await sign(ann, pae(type, payload)) }];
			for (const payloadType of [CATALOGUE_PAYLOAD_TYPE, type]) {
				await expect(
					openCatalogue({ payload, payloadType, signatures }, mapOf(vendor([ann])), DEVICE),
				).rejects.toEqual(refused("SIGNATURE_INVALID"));
			}
		}
	});

	test("expired, and of the future", async () => {
		const catalogue = await openCatalogue(one, mapOf(vendor([ann])), DEVICE);
		expect(() => demandCatalogueInForce(catalogue, new Date("2027-11-28T12:00:00Z"))).toThrow(
			refused("CATALOGUE_EXPIRED"),
		);
		expect(() => demandCatalogueInForce(catalogue, new Date("2026-11-28T11:54:59Z"))).toThrow(
			refused("CATALOGUE_NOT_YET"),
		);
	});
});
