// Rollback permits: what one covers, and what it does not; each refusal is an attack with a name.
import { beforeAll, describe, expect, test } from "vitest";
import { MANIFEST_PAYLOAD_TYPE, pae } from "./dsse.ts";
import { generateKeyPair, type SecretKey, sign } from "./ed25519.ts";
import { type DsseEnvelope, envelopeValue, serializeDsseEnvelope, signDsseEnvelope } from "./envelope.ts";
import {
	demandPermitted,
	newPermit,
	openPermit,
	PERMIT_PAYLOAD_TYPE,
	type Permit,
	parsePermitFile,
	permitOfValue,
	type RollbackStep,
	unverifiedPermit,
} from "./permit.ts";
import type { Publishers } from "./publishers.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const MANIFEST = "ab".repeat(32);
const PERMIT: Permit = {
	id: "0123456789abcdef".repeat(2),
	name: "gro",
	from: ">=1.0.1 <=1.0.2" as Permit["from"],
	to: { version: "1.0.0", manifestSha256: MANIFEST },
	reason: "1.0.1 drops packets",
	issued: "2026-11-28T12:00:00Z",
	expires: "2026-12-12T12:00:00Z",
};
const STEP: RollbackStep = { name: "gro", leaving: ["1.0.1"], to: PERMIT.to };
const NOW = new Date("2026-12-01T00:00:00Z");
const refused = (code: string) => expect.objectContaining({ name: "SigningError", code, exit: 3 });

let ann: SecretKey;
let bob: SecretKey;
let eve: SecretKey;
let one: DsseEnvelope;
let both: DsseEnvelope;
beforeAll(async () => {
	[ann, bob, eve] = await Promise.all([generateKeyPair(), generateKeyPair(), generateKeyPair()]);
	one = await signDsseEnvelope(newPermit(PERMIT), ann);
	both = await signDsseEnvelope(one, bob);
});

const map = (threshold: number, ...keys: SecretKey[]): Publishers => ({
	publishers: [{ names: ["gro", "tso"], threshold, keys: keys.map(({ publicKey }) => publicKey) }],
});

describe("a permit that is in force", () => {
	test("covers its step, with all signatures that the map asks for", async () => {
		demandPermitted(await openPermit(one, "gro", map(1, ann)), STEP, NOW);
		demandPermitted(await openPermit(both, "gro", map(2, ann, bob)), STEP, NOW);
	});

	test("is the same in a file and in another document, whoever signed first", async () => {
		const reverse = await signDsseEnvelope(await signDsseEnvelope(newPermit(PERMIT), bob), ann);
		const bytes = serializeDsseEnvelope(both);
		expect(Buffer.from(serializeDsseEnvelope(reverse))).toEqual(Buffer.from(bytes));
		const embedded = permitOfValue(JSON.parse(JSON.stringify(envelopeValue(reverse))));
		expect(Buffer.from(serializeDsseEnvelope(embedded))).toEqual(Buffer.from(bytes));
		expect(unverifiedPermit(parsePermitFile(bytes))).toEqual(PERMIT);
	});

	test("covers a step from several versions only if its range holds them all", async () => {
		const permit = await openPermit(one, "gro", map(1, ann));
		demandPermitted(permit, { ...STEP, leaving: ["1.0.1", "1.0.2"] }, NOW);
		expect(() => demandPermitted(permit, { ...STEP, leaving: ["1.0.1", "1.0.3"] }, NOW)).toThrow(
			refused("PERMIT_SCOPE"),
		);
		expect(() => demandPermitted(permit, { ...STEP, leaving: [] }, NOW)).toThrow(refused("PERMIT_SCOPE"));
	});
});

describe("attacks", () => {
	const judged = async (step: RollbackStep, now = NOW) =>
		demandPermitted(await openPermit(one, step.name, map(1, ann)), step, now);

	test("permit replayed after its expiry", async () => {
		await judged(STEP, new Date("2026-12-12T11:59:59.999Z"));
		await expect(judged(STEP, new Date("2026-12-12T12:00:00Z"))).rejects.toEqual(refused("PERMIT_EXPIRED"));
	});

	test("permit of the future", async () => {
		await judged(STEP, new Date("2026-11-28T11:55:00Z"));
		await expect(judged(STEP, new Date("2026-11-28T11:54:59Z"))).rejects.toEqual(refused("PERMIT_NOT_YET"));
	});

	test("permit replayed for another name of the same publisher", () =>
		expect(judged({ ...STEP, name: "tso" })).rejects.toEqual(refused("PERMIT_SCOPE")));

	test("permit replayed for another version to leave", () =>
		expect(judged({ ...STEP, leaving: ["1.0.3"] })).rejects.toEqual(refused("PERMIT_SCOPE")));

	test("permit replayed for another target version", () =>
		expect(judged({ ...STEP, to: { ...STEP.to, version: "0.9.0" } })).rejects.toEqual(
			refused("PERMIT_SCOPE"),
		));

	test("permit for a version whose manifest is another", () =>
		expect(judged({ ...STEP, to: { ...STEP.to, manifestSha256: "cd".repeat(32) } })).rejects.toEqual(
			refused("PERMIT_SCOPE"),
		));

	const opens = (envelope: DsseEnvelope, by: Publishers) => openPermit(envelope, "gro", by);

	test("unsigned permit", () =>
		expect(opens(newPermit(PERMIT), map(1, ann))).rejects.toEqual(refused("SIGNATURE_MISSING")));

	test("permit of a stranger, of a signer who was removed, and one slipped in beside enough good ones", async () => {
		const strange = await signDsseEnvelope(newPermit(PERMIT), eve);
		await expect(opens(strange, map(1, ann))).rejects.toEqual(refused("SIGNATURE_UNKNOWN_KEY"));
		await expect(opens(one, map(1, bob))).rejects.toEqual(refused("SIGNATURE_UNKNOWN_KEY"));
		const beside = await signDsseEnvelope(both, eve);
		await expect(opens(beside, map(2, ann, bob))).rejects.toEqual(refused("SIGNATURE_UNKNOWN_KEY"));
	});

	test("permit for a name that nobody may sign", () =>
		expect(openPermit(one, "flow-dissector", map(1, ann))).rejects.toEqual(refused("PUBLISHERS_NO_MATCH")));

	test("too few signers, and one of them twice", async () => {
		await expect(opens(one, map(2, ann, bob))).rejects.toEqual(refused("SIGNATURE_THRESHOLD"));
		const value = envelopeValue(one);
		const twice = { ...value, signatures: [value.signatures[0], value.signatures[0]] };
		expect(() => permitOfValue(twice)).toThrow(refused("SIGNATURE_REPEATED"));
	});

	test("forged: any bit of the payload changed after signing", async () => {
		for (let at = 0; at < one.payload.length; at++) {
			const payload = new Uint8Array(one.payload);
			payload[at]! ^= 1;
			await expect(opens({ ...one, payload }, map(1, ann))).rejects.toEqual(refused("SIGNATURE_INVALID"));
		}
	});

	test("a bundle's signature over the same bytes passed off as a permit's", async () => {
		const { payload } = newPermit(PERMIT);
		const sig = await sign(ann, pae(MANIFEST_PAYLOAD_TYPE, payload));
		const signatures = [{ keyid: ann.publicKey.keyid, sig }];
		for (const payloadType of [PERMIT_PAYLOAD_TYPE, MANIFEST_PAYLOAD_TYPE]) {
			await expect(opens({ payload, payloadType, signatures }, map(1, ann))).rejects.toEqual(
				refused("SIGNATURE_INVALID"),
			);
		}
	});

	test("payload swapped while its signatures are being checked", async () => {
		const payload = new Uint8Array(one.payload);
		const pending = opens({ ...one, payload }, map(1, ann));
		payload.fill(0x20);
		expect(await pending).toEqual(PERMIT);
	});

	test("signed, but malformed: what a publisher's key signs is still read strictly", async () => {
		const payload = utf8(Buffer.from(one.payload).toString().replace(">=1.0.1 <=1.0.2", ">=1.0.1"));
		const signed = await signDsseEnvelope({ ...one, payload, signatures: [] }, ann);
		await expect(opens(signed, map(1, ann))).rejects.toEqual(refused("PERMIT_MALFORMED"));
	});
});

describe("one spelling", () => {
	const payloadOf = (change: (text: string) => string) => {
		const text = Buffer.from(newPermit(PERMIT).payload).toString();
		const changed = change(text);
		expect(changed).not.toBe(text);
		return { payloadType: PERMIT_PAYLOAD_TYPE, payload: utf8(changed), signatures: [] };
	};
	const field = (name: string, value: unknown) => (text: string) => {
		const fields = JSON.parse(text);
		fields[name] = value;
		return `${JSON.stringify(fields, null, 2)}\n`;
	};

	test.each<[string, (text: string) => string]>([
		["no final newline", (text) => text.slice(0, -1)],
		["other white space", (text) => JSON.stringify(JSON.parse(text))],
		[
			"fields in another order",
			(text) => `${JSON.stringify({ ...{ name: "gro" }, ...JSON.parse(text) }, null, 2)}\n`,
		],
		["a field twice", (text) => text.replace('"id":', '"name": "gro",\n  "id":')],
		["an unknown field", field("note", "x")],
		["a missing field", (text) => text.replace(/ {2}"reason": [^\n]*\n/, "")],
		["another schema", field("schema", "kfn.rollback-permit/2")],
		["an id in upper case", field("id", "ABCDEF0123456789".repeat(2))],
		["an id too short", field("id", "0123456789abcdef")],
		["a name that is none", field("name", "../gro")],
		["a name pattern", field("name", "gro*")],
		["a range open above", field("from", ">=1.0.1")],
		["any version", field("from", "*")],
		["a list as range", field("from", ["1.0.1"])],
		["a target inside the range", field("to", { version: "1.0.1", manifestSha256: MANIFEST })],
		["a target above the range", field("to", { version: "1.0.3", manifestSha256: MANIFEST })],
		["a target that is a range", field("to", { version: "1.0.x", manifestSha256: MANIFEST })],
		["a target without a manifest", field("to", { version: "1.0.0" })],
		["a digest in upper case", field("to", { version: "1.0.0", manifestSha256: "AB".repeat(32) })],
		["no reason", field("reason", "")],
		["a reason of 501 characters", field("reason", "x".repeat(501))],
		["a reason of two lines", field("reason", "one\ntwo")],
		["a reason that turns text around", field("reason", "a\u202eb")],
		["a reason that clears the screen", field("reason", "\u001b[2J")],
		["a reason with blanks at its end", field("reason", "one ")],
		["a time with a zone", field("issued", "2026-11-28T12:00:00+01:00")],
		["a time with fractions", field("issued", "2026-11-28T12:00:00.000Z")],
		["a day that does not exist", field("issued", "2026-11-31T12:00:00Z")],
		["an expiry that is a number", field("expires", 1)],
		["an expiry at its issue", field("expires", PERMIT.issued)],
		["an expiry before its issue", field("expires", "2026-11-27T12:00:00Z")],
		["an expiry 90 days and a second after its issue", field("expires", "2027-02-26T12:00:01Z")],
	])("%s is PERMIT_MALFORMED", (_what, change) => {
		expect(() => unverifiedPermit(payloadOf(change))).toThrow(refused("PERMIT_MALFORMED"));
	});

	test("90 days are allowed, and a permit that breaks the format is never made", () => {
		expect(unverifiedPermit(payloadOf(field("expires", "2027-02-26T12:00:00Z")))).toBeDefined();
		expect(() => newPermit({ ...PERMIT, reason: "" })).toThrow(refused("PERMIT_MALFORMED"));
	});

	test("other spellings of the envelope", () => {
		const text = Buffer.from(serializeDsseEnvelope(both)).toString();
		const value = JSON.parse(text);
		for (const file of [
			JSON.stringify(value),
			text.slice(0, -1),
			`\ufeff${text}`,
			text.replace("rollback-permit.v1", "rollback-permit.v2"),
			text.replace(PERMIT_PAYLOAD_TYPE, MANIFEST_PAYLOAD_TYPE),
			text.replace('"payload":', '"note": 1,\n  "payload":'),
			text.replace('"payload":', `"payload": "",\n  "payload":`),
			text.replace(value.payload, `${value.payload.slice(0, 40)} ${value.payload.slice(40)}`),
			text.replace(value.payload, `${value.payload}=`),
			text.replace(value.payload, `${value.payload}AAAA`.repeat(20)),
			`${JSON.stringify({ ...value, signatures: value.signatures.toReversed() }, null, 2)}\n`,
			`${JSON.stringify({ ...value, signatures: {} }, null, 2)}\n`,
			`${JSON.stringify({ ...value, signatures: Array(65).fill(value.signatures[0]) }, null, 2)}\n`,
			" ".repeat(32 * 1024 + 1),
			"",
			"[]",
		]) {
			expect(file).not.toBe(text);
			expect(() => parsePermitFile(utf8(file)), file).toThrow(refused("PERMIT_MALFORMED"));
		}
	});

	test("every prefix of a file is PERMIT_MALFORMED", () => {
		const bytes = serializeDsseEnvelope(both);
		for (let end = 0; end < bytes.length; end += 5) {
			expect(() => parsePermitFile(bytes.slice(0, end))).toThrow(refused("PERMIT_MALFORMED"));
		}
	});
});
