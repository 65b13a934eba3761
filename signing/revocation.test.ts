// Revocations: one key revokes, the whole threshold takes back; each refusal is an attack with a name.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { pae } from "./dsse.ts";
import { generateKeyPair, type SecretKey, secretKeyOfSeed, sign } from "./ed25519.ts";
import { type DsseEnvelope, serializeDsseEnvelope, signDsseEnvelope } from "./envelope.ts";
import { PERMIT_PAYLOAD_TYPE } from "./permit.ts";
import { type Publisher, type Publishers, parsePublishers } from "./publishers.ts";
import {
	isNamedBy,
	newRevocation,
	openRevocation,
	parseRevocationFile,
	REVOCATION_LIMITS,
	REVOCATION_PAYLOAD_TYPE,
	type Revocation,
	unverifiedRevocation,
	withdrawalOf,
} from "./revocation.ts";

const MANIFEST = "ab".repeat(32);
const TAG = `kfn1:${"cd".repeat(32)}`;
const REVOCATION: Revocation = {
	id: "0123456789abcdef".repeat(2),
	name: "gro",
	state: "revoked",
	tags: [TAG],
	builds: [{ version: "1.0.1", manifestSha256: MANIFEST }],
	advisory: "KFN-2026-0001",
	reason: "1.0.1 stalls transfers",
	issued: "2026-11-29T12:00:00Z",
};
const TAKEN_BACK = { reason: "it was another function", issued: "2026-11-30T12:00:00Z" };
const refused = (code: string) => expect.objectContaining({ name: "SigningError", code, exit: 3 });
const malformed = refused("REVOCATION_MALFORMED");

let ann: SecretKey;
let bob: SecretKey;
let eve: SecretKey;
let one: DsseEnvelope;
beforeAll(async () => {
	[ann, bob, eve] = await Promise.all([generateKeyPair(), generateKeyPair(), generateKeyPair()]);
	one = await signDsseEnvelope(newRevocation(REVOCATION), ann);
});

function map(threshold: number, keys: readonly SecretKey[], more: Partial<Publisher> = {}): Publishers {
	const of = keys.map(({ publicKey }) => publicKey);
	return { publishers: [{ names: ["gro", "tso"], threshold, keys: of, ...more }] };
}

describe("who may revoke", () => {
	test("one of the publisher's keys, whatever its threshold", async () => {
		expect(await openRevocation(one, "gro", map(1, [ann]))).toEqual(REVOCATION);
		expect(await openRevocation(one, "gro", map(2, [ann, bob]))).toEqual(REVOCATION);
	});

	test("the whole threshold takes it back, and less does not: a forged withdrawal", async () => {
		const alone = await signDsseEnvelope(withdrawalOf(REVOCATION, TAKEN_BACK), ann);
		await expect(openRevocation(alone, "gro", map(2, [ann, bob]))).rejects.toEqual(
			refused("SIGNATURE_THRESHOLD"),
		);
		const both = await signDsseEnvelope(alone, bob);
		expect(await openRevocation(both, "gro", map(2, [ann, bob]))).toEqual({
			...REVOCATION,
			...TAKEN_BACK,
			state: "withdrawn",
		});
	});

	test("the same file, whoever signed first", async () => {
		const ours = await signDsseEnvelope(await signDsseEnvelope(newRevocation(REVOCATION), bob), ann);
		const bytes = serializeDsseEnvelope(ours);
		expect(Buffer.from(serializeDsseEnvelope(await signDsseEnvelope(one, bob)))).toEqual(Buffer.from(bytes));
		expect(unverifiedRevocation(parseRevocationFile(bytes))).toEqual(REVOCATION);
	});
});

describe("what is named", () => {
	test("a tag and a build, under the revocation's own name only", () => {
		const other = "ef".repeat(32);
		expect(isNamedBy(REVOCATION, { name: "gro", tag: TAG, manifestSha256: other })).toBe(true);
		expect(isNamedBy(REVOCATION, { name: "gro", tag: `kfn1:${other}`, manifestSha256: MANIFEST })).toBe(true);
		expect(isNamedBy(REVOCATION, { name: "gro", tag: `kfn1:${other}`, manifestSha256: other })).toBe(false);
		expect(isNamedBy(REVOCATION, { name: "tso", tag: TAG, manifestSha256: MANIFEST })).toBe(false);
	});
});

describe("attacks", () => {
	test("unsigned, by a stranger, by a revoked key, for a name that nobody may sign", async () => {
		const unsigned = newRevocation(REVOCATION);
		await expect(openRevocation(unsigned, "gro", map(1, [ann]))).rejects.toEqual(
			refused("SIGNATURE_MISSING"),
		);
		const strange = await signDsseEnvelope(unsigned, eve);
		await expect(openRevocation(strange, "gro", map(1, [ann]))).rejects.toEqual(
			refused("SIGNATURE_UNKNOWN_KEY"),
		);
		const stolen = { key: eve.publicKey, reason: "stolen", manifests: [] };
		await expect(openRevocation(strange, "gro", map(1, [ann], { revoked: [stolen] }))).rejects.toEqual(
			refused("SIGNATURE_REVOKED_KEY"),
		);
		await expect(openRevocation(one, "other", map(1, [ann]))).rejects.toEqual(refused("PUBLISHERS_NO_MATCH"));
	});

	test("a revocation replayed for another name of the same publisher", () =>
		expect(openRevocation(one, "tso", map(1, [ann]))).rejects.toEqual(refused("REVOCATION_NAME")));

	test("a revocation turned into its withdrawal, and any other bit changed", async () => {
		const turned = { ...one, payload: withdrawalOf(REVOCATION, TAKEN_BACK).payload };
		await expect(openRevocation(turned, "gro", map(1, [ann]))).rejects.toEqual(refused("SIGNATURE_INVALID"));
		for (let at = 0; at < one.payload.length; at++) {
			const payload = new Uint8Array(one.payload);
			payload[at]! ^= 1;
			await expect(openRevocation({ ...one, payload }, "gro", map(1, [ann]))).rejects.toEqual(
				refused("SIGNATURE_INVALID"),
			);
		}
	});

	test("a permit's signature over the same bytes passed off as a revocation's", async () => {
		const { payload } = newRevocation(REVOCATION);
		const sig = await sign(ann, pae(PERMIT_PAYLOAD_TYPE, payload));
		const signatures = [{ keyid: ann.publicKey.keyid, sig }];
		const passed = { payload, payloadType: REVOCATION_PAYLOAD_TYPE, signatures };
		await expect(openRevocation(passed, "gro", map(1, [ann]))).rejects.toEqual(refused("SIGNATURE_INVALID"));
	});

	test("payload swapped while its signatures are being checked", async () => {
		const payload = new Uint8Array(one.payload);
		const pending = openRevocation({ ...one, payload }, "gro", map(1, [ann]));
		payload.fill(0x20);
		expect(await pending).toEqual(REVOCATION);
	});
});

describe("the format", () => {
	const wrong: [string, Partial<Record<keyof Revocation, unknown>>][] = [
		["revokes nothing", { tags: [], builds: [] }],
		["a tag twice", { tags: [TAG, TAG] }],
		["no tag", { tags: ["cd".repeat(32)] }],
		["no digest", { builds: [{ version: "1.0.1", manifestSha256: "AB".repeat(32) }] }],
		["no version", { builds: [{ version: "1", manifestSha256: MANIFEST }] }],
		["no name", { name: "Gro" }],
		["no id", { id: "0" }],
		["another state", { state: "paused" }],
		["no reason", { reason: "" }],
		["two lines", { reason: "a\nb" }],
		["no time", { issued: "2026-02-30T00:00:00Z" }],
		["no advisory", { advisory: "" }],
		["more tags than there may be", { tags: tags(REVOCATION_LIMITS.tags + 1) }],
	];
	test.each(wrong)("%s", (_what, change) => {
		expect(() => newRevocation({ ...REVOCATION, ...change } as Revocation)).toThrow(malformed);
	});

	test("the largest one fits its limit", () => {
		const builds = tags(REVOCATION_LIMITS.builds).map((tag) => ({
			version: "1000.1000.1000-rc.1",
			manifestSha256: tag.slice(5),
		}));
		const largest = { ...REVOCATION, tags: tags(REVOCATION_LIMITS.tags), builds, reason: "x".repeat(500) };
		expect(newRevocation(largest).payload.byteLength).toBeLessThanOrEqual(REVOCATION_LIMITS.payloadBytes);
	});

	test("another order of the lists is another spelling", () => {
		const [a, b] = tags(2) as [string, string];
		const text = new TextDecoder().decode(newRevocation({ ...REVOCATION, tags: [b, a] }).payload);
		const turned = text.replace(a, "?").replace(b, a).replace("?", b);
		const payload = new TextEncoder().encode(turned);
		expect(() => unverifiedRevocation({ ...one, payload })).toThrow(malformed);
	});
});

function tags(count: number): string[] {
	return Array.from({ length: count }, (_, i) => `kfn1:${i.toString(16).padStart(64, "0")}`);
}

describe("docs/formats/recall.md", () => {
	const read = (name: string) =>
		readFileSync(join(import.meta.dirname, "../docs/formats", `${name}.md`), "utf8");
	const example = (page: string, name: string) =>
		new RegExp(`^\`\`\`json ${name}\n([\\s\\S]*?)^\`\`\`$`, "m").exec(page)![1]!;
	const recall = read("recall");

	test("the payload, and the files that signing it gives", async () => {
		// RFC 8032 §7.1, TEST 1 and TEST 2.
		const seeds = [
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		];
		const [first, second] = await Promise.all(seeds.map((seed) => secretKeyOfSeed(Buffer.from(seed, "hex"))));
		const payload = example(recall, "payload");
		expect(recall).toContain(`The payload, ${Buffer.byteLength(payload)} bytes:`);
		const file = parseRevocationFile(Buffer.from(example(recall, "revocation.json")));
		expect(Buffer.from(file.payload).toString()).toBe(payload);
		const signed = await signDsseEnvelope(newRevocation(unverifiedRevocation(file)), first!);
		expect(Buffer.from(serializeDsseEnvelope(signed)).toString()).toBe(example(recall, "revocation.json"));
		const back = parseRevocationFile(Buffer.from(example(recall, "withdrawal.json")));
		const { reason, issued } = unverifiedRevocation(back);
		let ours = withdrawalOf(unverifiedRevocation(file), { reason, issued });
		for (const key of [first, second]) ours = await signDsseEnvelope(ours, key!);
		expect(Buffer.from(serializeDsseEnvelope(ours)).toString()).toBe(example(recall, "withdrawal.json"));
		const map = parsePublishers(Buffer.from(example(read("publishers"), "publishers.json")));
		expect(await openRevocation(file, "flow-dissector", map)).toMatchObject({ state: "revoked" });
		expect(await openRevocation(back, "flow-dissector", map)).toMatchObject({ state: "withdrawn" });
	});
});
