// Catalogues published to a real registry: signed for every device that they are of, one line of serials for each id.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newCatalogue } from "#signing/catalogue.ts";
import type { Catalogue } from "#signing/catalogue-payload.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import {
	type DsseEnvelope,
	envelopeValue,
	serializeDsseEnvelope,
	signDsseEnvelope,
} from "#signing/envelope.ts";
import { CATALOGUE, mapOf, vendor } from "#signing/testing/catalogues.ts";
import { paths, STATEMENT_MEDIA_TYPE } from "../api/wire.ts";
import { TestServer } from "../testing/server.ts";

const NOW = new Date("2026-11-29T12:00:00.000Z");

let server: TestServer;
let token: string;
let ann: SecretKey;
let eve: SecretKey;
beforeAll(async () => {
	[ann, eve] = await Promise.all([generateKeyPair("ann"), generateKeyPair("eve")]);
	const vendors = mapOf(
		vendor([eve], { issuer: "other", vendor: "15b3" }),
		vendor([eve], { issuer: "other", devices: ["2000"] }),
		vendor([ann]),
	);
	server = await TestServer.start({ now: () => NOW, trust: { now: NOW, vendors } });
	token = await server.token({ expiresAt: "2999-01-01T00:00:00.000Z" });
});
afterAll(() => server[Symbol.asyncDispose]());

const signed = (change: Partial<Catalogue> = {}, key = ann) =>
	signDsseEnvelope(newCatalogue({ ...CATALOGUE, ...change }), key);

async function put(envelope: DsseEnvelope, at: { name?: string; id?: string } = {}): Promise<unknown[]> {
	const path = paths.statement("catalogue", at.name ?? "pci-e9a1", at.id ?? "ex100");
	const { status, json } = await server.request(path, {
		method: "PUT",
		token,
		headers: { "content-type": STATEMENT_MEDIA_TYPE },
		body: new Uint8Array(serializeDsseEnvelope(envelope)),
	});
	const error = (json as { error?: { code: string; details: Record<string, unknown> } }).error;
	const why = error?.details["statementCode"] ?? error?.details["signatureCode"];
	return [status, ...(error === undefined ? [] : [error.code]), ...(why ? [why] : [])];
}
const listed = () => server.statements("catalogue", "pci-e9a1");

test("a catalogue is listed by bus and vendor, and its successor takes its place", async () => {
	const [first, second] = [await signed(), await signed({ serial: 5 })];
	expect(await put(first)).toEqual([201]);
	expect(await put(first)).toEqual([200]);
	expect(await listed()).toEqual([envelopeValue(first)]);
	expect(await put(second)).toEqual([201]);
	expect(await listed()).toEqual([envelopeValue(second)]);
	const other = await signed({ id: "ex200", device: { ...CATALOGUE.device, devices: ["3000"] } });
	expect(await put(other, { id: "ex200" })).toEqual([201]);
	expect(await listed()).toEqual([envelopeValue(second), envelopeValue(other)]);
});

describe("attacks", () => {
	test("an older serial replayed, and another content of the same", async () => {
		await put(await signed({ serial: 7 }));
		const before = await listed();
		expect(await put(await signed({ serial: 6 }))).toEqual([409, "REGISTRY_STATEMENT_EXISTS"]);
		const twin = await signed({ serial: 7, entries: [CATALOGUE.entries[1]!] });
		expect(await put(twin)).toEqual([409, "REGISTRY_STATEMENT_EXISTS"]);
		expect(await listed()).toEqual(before);
	});

	test("a vendor signs for another's hardware, or for a device that was given to another", async () => {
		expect(await put(await signed({ serial: 9 }, eve))).toEqual([
			400,
			"REGISTRY_STATEMENT_REFUSED",
			"CATALOGUE_FOREIGN",
		]);
		const beyond = await signed({ serial: 9, device: { ...CATALOGUE.device, devices: ["1001", "2000"] } });
		expect(await put(beyond)).toEqual([400, "REGISTRY_STATEMENT_REFUSED", "CATALOGUE_FOREIGN"]);
	});

	test("unsigned, of a stranger, and of hardware that nobody may speak for", async () => {
		const stranger = await generateKeyPair();
		const refused = async (envelope: DsseEnvelope, name?: string) =>
			(await put(envelope, name === undefined ? {} : { name })).slice(1);
		expect(await refused(newCatalogue({ ...CATALOGUE, serial: 9 }))).toEqual([
			"REGISTRY_UNAUTHORISED",
			"SIGNATURE_MISSING",
		]);
		expect(await refused(await signed({ serial: 9 }, stranger))).toEqual([
			"REGISTRY_UNAUTHORISED",
			"SIGNATURE_UNKNOWN_KEY",
		]);
		const elsewhere = await signed({ device: { ...CATALOGUE.device, vendor: "beef" } }, stranger);
		expect(await refused(elsewhere, "pci-beef")).toEqual(["REGISTRY_UNAUTHORISED", "VENDORS_NO_MATCH"]);
	});

	test("listed under another vendor's name, or another id", async () => {
		const good = await signed({ serial: 9 });
		expect(await put(good, { name: "pci-15b3" })).toEqual([
			400,
			"REGISTRY_STATEMENT_REFUSED",
			"CATALOGUE_MALFORMED",
		]);
		expect(await put(good, { id: "ex101" })).toEqual([400, "REGISTRY_STATEMENT_REFUSED"]);
	});

	test("expired, and of the future", async () => {
		const expired = await signed({ serial: 9, expires: "2026-11-29T12:00:00Z" });
		expect(await put(expired)).toEqual([400, "REGISTRY_STATEMENT_REFUSED", "CATALOGUE_EXPIRED"]);
		const future = await signed({ serial: 9, issued: "2026-11-29T12:05:01Z" });
		expect(await put(future)).toEqual([400, "REGISTRY_STATEMENT_REFUSED", "CATALOGUE_NOT_YET"]);
	});
});
