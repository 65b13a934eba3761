// Channel pointers: what one says, which of two counts; each refusal is an attack with a name.
import { createHash, createPrivateKey, sign as nodeSign } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import {
	CHANNEL_PAYLOAD_TYPE,
	type ChannelPointer,
	channelOfValue,
	demandLatest,
	demandPointsTo,
	newChannel,
	openChannel,
	parseChannelFile,
	unverifiedChannel,
} from "./channel.ts";
import { MANIFEST_PAYLOAD_TYPE, pae } from "./dsse.ts";
import { generateKeyPair, type SecretKey, secretKeyOfSeed, sign } from "./ed25519.ts";
import { type DsseEnvelope, envelopeValue, serializeDsseEnvelope, signDsseEnvelope } from "./envelope.ts";
import { PERMIT_PAYLOAD_TYPE } from "./permit.ts";
import { type Publishers, parsePublishers } from "./publishers.ts";

const POINTER: ChannelPointer = {
	name: "gro",
	channel: "stable",
	version: "1.0.1",
	manifestSha256: "ab".repeat(32),
	serial: 3,
	issued: "2026-11-28T12:00:00Z",
};
const refused = (code: string) => expect.objectContaining({ name: "SigningError", code, exit: 3 });

let ann: SecretKey;
let bob: SecretKey;
let eve: SecretKey;
beforeAll(async () => {
	[ann, bob, eve] = await Promise.all([generateKeyPair(), generateKeyPair(), generateKeyPair()]);
});

const map = (threshold: number, ...keys: SecretKey[]): Publishers => ({
	publishers: [{ names: ["gro", "tso"], threshold, keys: keys.map(({ publicKey }) => publicKey) }],
});
const signed = (pointer: Partial<ChannelPointer>, ...keys: SecretKey[]): Promise<DsseEnvelope> =>
	keys.reduce(
		async (envelope, key) => signDsseEnvelope(await envelope, key),
		Promise.resolve(newChannel({ ...POINTER, ...pointer })),
	);
const open = async (pointer: Partial<ChannelPointer>) =>
	openChannel(await signed(pointer, ann), "gro", map(1, ann));

describe("a pointer", () => {
	test("opens with all signatures that the map asks for, and reads back as it was made", async () => {
		expect(await openChannel(await signed({}, ann), "gro", map(1, ann))).toEqual(POINTER);
		expect(await openChannel(await signed({}, ann, bob), "gro", map(2, ann, bob))).toEqual(POINTER);
		const bytes = serializeDsseEnvelope(await signed({}, ann));
		expect(unverifiedChannel(parseChannelFile(bytes))).toEqual(POINTER);
		const embedded = channelOfValue(JSON.parse(Buffer.from(bytes).toString()));
		expect(Buffer.from(serializeDsseEnvelope(embedded))).toEqual(Buffer.from(bytes));
	});

	test("a later serial counts, up or down in versions, and so does the same pointer again", async () => {
		const later = await open({ serial: 4, version: "1.0.0" });
		demandLatest(later, POINTER);
		demandLatest(await open({}), POINTER);
		demandLatest(later, undefined);
	});
});

describe("attacks", () => {
	test("replayed channel pointer", async () => {
		const seen = { ...POINTER, serial: 4, version: "1.0.2" };
		expect(() => demandLatest({ ...POINTER } as never, seen)).toThrow(refused("CHANNEL_REPLAYED"));
	});

	test("two pointers with one serial", async () => {
		const other = await open({ version: "1.0.2" });
		const rebuilt = await open({ manifestSha256: "cd".repeat(32) });
		for (const pointer of [other, rebuilt])
			expect(() => demandLatest(pointer, POINTER)).toThrow(refused("CHANNEL_REPLAYED"));
	});

	test("a pointer to bytes that are not the published ones", async () => {
		const pointer = await open({});
		demandPointsTo(pointer, POINTER);
		for (const found of [
			{ ...POINTER, manifestSha256: "cd".repeat(32) },
			{ ...POINTER, version: "1.0.2" },
		])
			expect(() => demandPointsTo(pointer, found)).toThrow(refused("CHANNEL_SCOPE"));
	});

	test("a pointer of another name of the same publisher", async () => {
		const envelope = await signed({ name: "tso" }, ann);
		await expect(openChannel(envelope, "gro", map(1, ann))).rejects.toEqual(refused("CHANNEL_SCOPE"));
	});

	test("unsigned, a stranger's, one signer too few, and one slipped in beside enough good ones", async () => {
		const opens = async (by: Publishers, ...keys: SecretKey[]) =>
			openChannel(await signed({}, ...keys), "gro", by);
		await expect(opens(map(1, ann))).rejects.toEqual(refused("SIGNATURE_MISSING"));
		await expect(opens(map(1, ann), eve)).rejects.toEqual(refused("SIGNATURE_UNKNOWN_KEY"));
		await expect(opens(map(2, ann, bob), ann)).rejects.toEqual(refused("SIGNATURE_THRESHOLD"));
		await expect(opens(map(1, ann), ann, eve)).rejects.toEqual(refused("SIGNATURE_UNKNOWN_KEY"));
		const unknown = openChannel(await signed({}, ann), "flow-dissector", map(1, ann));
		await expect(unknown).rejects.toEqual(refused("PUBLISHERS_NO_MATCH"));
	});

	test("forged: any bit of the payload changed after signing", async () => {
		const envelope = await signed({}, ann);
		for (let at = 0; at < envelope.payload.length; at++) {
			const payload = new Uint8Array(envelope.payload);
			payload[at]! ^= 1;
			const opening = openChannel({ ...envelope, payload }, "gro", map(1, ann));
			await expect(opening).rejects.toEqual(refused("SIGNATURE_INVALID"));
		}
	});

	test("a bundle's or a permit's signature over the same bytes passed off as a pointer's", async () => {
		const { payload } = newChannel(POINTER);
		for (const other of [MANIFEST_PAYLOAD_TYPE, PERMIT_PAYLOAD_TYPE]) {
			const signatures = [{ keyid: ann.publicKey.keyid, sig: await sign(ann, pae(other, payload)) }];
			for (const payloadType of [CHANNEL_PAYLOAD_TYPE, other]) {
				const opening = openChannel({ payload, payloadType, signatures }, "gro", map(1, ann));
				await expect(opening).rejects.toEqual(refused("SIGNATURE_INVALID"));
			}
		}
	});

	test("payload swapped while its signatures are being checked", async () => {
		const envelope = await signed({}, ann);
		const payload = new Uint8Array(envelope.payload);
		const pending = openChannel({ ...envelope, payload }, "gro", map(1, ann));
		payload.fill(0x20);
		expect(await pending).toEqual(POINTER);
	});
});

describe("one spelling", () => {
	const field = (name: string, value: unknown) => (text: string) =>
		`${JSON.stringify({ ...JSON.parse(text), [name]: value }, null, 2)}\n`;

	test.each<[string, (text: string) => string]>([
		["no final newline", (text) => text.slice(0, -1)],
		["other white space", (text) => JSON.stringify(JSON.parse(text))],
		["a field twice", (text) => text.replace('"channel":', '"name": "gro",\n  "channel":')],
		["an unknown field", field("note", "x")],
		["a missing field", (text) => text.replace(/ {2}"serial": [^\n]*\n/, "")],
		["another schema", field("schema", "kfn.channel/2")],
		["a name that is none", field("name", "../gro")],
		["a channel that is none", field("channel", "stabel")],
		["a channel that every object has", field("channel", "constructor")],
		["a version that is a range", field("version", "^1.0.1")],
		["a version with a build", field("version", "1.0.1+x")],
		["a digest in upper case", field("manifestSha256", "AB".repeat(32))],
		["serial 0", field("serial", 0)],
		["a serial that is no whole number", field("serial", 1.5)],
		["a serial as text", field("serial", "3")],
		["a serial beyond all others", field("serial", 2 ** 31)],
		["a time with a zone", field("issued", "2026-11-28T12:00:00+01:00")],
		["a day that does not exist", field("issued", "2026-11-31T12:00:00Z")],
	])("%s is CHANNEL_MALFORMED", (_what, change) => {
		const text = Buffer.from(newChannel(POINTER).payload).toString();
		const payload = new TextEncoder().encode(change(text));
		expect(change(text)).not.toBe(text);
		const envelope = { payloadType: CHANNEL_PAYLOAD_TYPE, payload, signatures: [] };
		expect(() => unverifiedChannel(envelope)).toThrow(refused("CHANNEL_MALFORMED"));
	});

	test("other spellings of the envelope, and a pointer that breaks the format is never made", async () => {
		const value = envelopeValue(await signed({}, ann));
		const text = `${JSON.stringify(value, null, 2)}\n`;
		parseChannelFile(Buffer.from(text));
		for (const file of [
			JSON.stringify(value),
			text.slice(0, -1),
			text.replace(CHANNEL_PAYLOAD_TYPE, PERMIT_PAYLOAD_TYPE),
			text.replace(value.payload, `${value.payload}AAAA`.repeat(8)),
			"",
		])
			expect(() => parseChannelFile(Buffer.from(file)), file).toThrow(refused("CHANNEL_MALFORMED"));
		expect(() => newChannel({ ...POINTER, serial: 0 })).toThrow(refused("CHANNEL_MALFORMED"));
	});
});

describe("channel.md", () => {
	const page = (name: string) =>
		readFileSync(join(import.meta.dirname, "../docs/formats", `${name}.md`), "utf8");
	const example = (text: string, name: string): string =>
		new RegExp(`^\`\`\`json ${name}\n([\\s\\S]*?)^\`\`\`$`, "m").exec(text)?.[1] ?? "";
	/** RFC 8032 §7.1, TEST 1 and TEST 2. */
	const SEEDS = [
		"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	].map((hex) => Buffer.from(hex, "hex"));

	test("the pointer is what signing gives, and what OpenSSL gives", async () => {
		const [payload, file] = ["payload", "channel.json"].map((name) => example(page("channel"), name)) as [
			string,
			string,
		];
		expect(page("channel")).toContain(`The payload, ${Buffer.byteLength(payload)} bytes:`);
		const secrets = await Promise.all(SEEDS.map((seed) => secretKeyOfSeed(seed)));
		let ours = newChannel(unverifiedChannel(parseChannelFile(Buffer.from(file))));
		for (const secret of secrets) ours = await signDsseEnvelope(ours, secret);
		expect(Buffer.from(serializeDsseEnvelope(ours)).toString()).toBe(file);
		const message = `DSSEv1 ${CHANNEL_PAYLOAD_TYPE.length} ${CHANNEL_PAYLOAD_TYPE} ${Buffer.byteLength(payload)} ${payload}`;
		const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
		const theirs = SEEDS.map((seed, n) => ({
			keyid: createHash("sha256").update(secrets[n]!.publicKey.bytes).digest("hex"),
			sig: nodeSign(
				null,
				Buffer.from(message),
				createPrivateKey({ key: Buffer.concat([prefix, seed]), format: "der", type: "pkcs8" }),
			).toString("base64"),
		}));
		expect(JSON.parse(file).signatures).toEqual(theirs);
	});

	test("it opens against the page's publishers, and replays are what the page says", async () => {
		const publishers = parsePublishers(Buffer.from(example(page("publishers"), "publishers.json")));
		const file = Buffer.from(example(page("channel"), "channel.json"));
		const pointer = await openChannel(parseChannelFile(file), "flow-dissector", publishers);
		demandLatest(pointer, { ...pointer, serial: 2, version: "1.0.2" });
		demandLatest(pointer, pointer);
		expect(() => demandLatest(pointer, { ...pointer, serial: 4 })).toThrow(refused("CHANNEL_REPLAYED"));
		expect(() => demandLatest(pointer, { ...pointer, version: "1.0.2" })).toThrow(
			refused("CHANNEL_REPLAYED"),
		);
	});
});
