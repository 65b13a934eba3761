// Advisories: what one says, whose signatures it needs, and what is refused; each refusal is an attack or another reading.
import { beforeAll, describe, expect, test } from "vitest";
import {
	ADVISORY_PAYLOAD_TYPE,
	advisoryOfValue,
	newAdvisory,
	openAdvisory,
	parseAdvisoryFile,
	unverifiedAdvisory,
} from "./advisory.ts";
import { MANIFEST_PAYLOAD_TYPE, pae } from "./dsse.ts";
import { generateKeyPair, type SecretKey, sign } from "./ed25519.ts";
import { type DsseEnvelope, envelopeValue, serializeDsseEnvelope, signDsseEnvelope } from "./envelope.ts";
import { compareKernels, isKernelVersion, spanHolds } from "./osv/span.ts";
import type { Publishers } from "./publishers.ts";

type Fields = Record<string, unknown>;

const TAG = `kfn1:${"ab".repeat(32)}`;
const NOW = new Date("2026-11-29T12:00:00Z");
const BUNDLE = {
	schema_version: "1.7.5",
	id: "x_KFN-2026-0002",
	modified: "2026-11-29T12:00:00Z",
	published: "2026-11-28T12:00:00Z",
	summary: "gro merges across a VLAN tag",
	severity: [{ type: "CVSS_V3", score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }],
	affected: [
		{
			ranges: [{ type: "SEMVER", events: [{ introduced: "1.0.0" }, { fixed: "1.0.2" }] }],
			versions: ["0.9.0"],
			database_specific: { kfn: { bundle: "gro", function: "gro", abi: 1, tags: [TAG] } },
		},
	],
	database_specific: { kfn: { schema: "kfn.advisory/1", kind: "bundle", names: ["gro"], fixedBy: [] } },
};
const KERNEL = {
	...BUNDLE,
	id: "x_KFN-2026-0003",
	affected: [
		{
			package: { ecosystem: "Linux", name: "Kernel" },
			ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "6.0" }, { fixed: "6.1.175" }] }],
			database_specific: { kfn: { function: "gro" } },
		},
	],
	database_specific: {
		kfn: {
			schema: "kfn.advisory/1",
			kind: "kernel-code",
			names: ["gro"],
			fixedBy: [{ bundle: "gro", from: "1.0.1", config: { patch: ["a"] } }],
		},
	},
};
const refused = (code: string) => expect.objectContaining({ name: "SigningError", code, exit: 3 });

let ann: SecretKey;
let bob: SecretKey;
let eve: SecretKey;
let one: DsseEnvelope;
beforeAll(async () => {
	[ann, bob, eve] = await Promise.all([generateKeyPair(), generateKeyPair(), generateKeyPair()]);
	one = await signDsseEnvelope(newAdvisory(BUNDLE), ann);
});

const map = (names: string[], threshold: number, ...keys: SecretKey[]): Publishers["publishers"][number] => ({
	names,
	threshold,
	keys: keys.map(({ publicKey }) => publicKey),
});
const opens = (envelope: DsseEnvelope, ...publishers: Publishers["publishers"]) =>
	openAdvisory(envelope, "gro", { publishers }, NOW);

describe("an advisory", () => {
	test("says what its document says, in a file and in another document", async () => {
		const advisory = await opens(one, map(["gro"], 1, ann));
		expect(advisory).toMatchObject({
			id: "x_KFN-2026-0002",
			withdrawn: null,
			aliases: [],
			kind: "bundle",
			names: ["gro"],
			bundles: [
				{
					bundle: "gro",
					spans: [{ introduced: "1.0.0", fixed: "1.0.2", lastAffected: null }],
					versions: ["0.9.0"],
					tags: [TAG],
				},
			],
			kernels: [],
		});
		const embedded = advisoryOfValue(JSON.parse(JSON.stringify(envelopeValue(one))));
		expect(unverifiedAdvisory(embedded)).toEqual(advisory);
		expect(unverifiedAdvisory(parseAdvisoryFile(serializeDsseEnvelope(one)))).toEqual(advisory);
	});

	test("of kernel code says what takes its place", () => {
		expect(unverifiedAdvisory(newAdvisory(KERNEL))).toMatchObject({
			kind: "kernel-code",
			kernels: [{ function: "gro", spans: [{ introduced: "6.0", fixed: "6.1.175" }] }],
			fixedBy: [{ bundle: "gro", from: "1.0.1", config: { patch: ["a"] } }],
		});
	});

	test("of two publishers' bundles needs both, each with its own threshold", async () => {
		const [affected] = BUNDLE.affected;
		const other = {
			...affected!,
			database_specific: { kfn: { bundle: "tso", function: "tso", abi: 1, tags: [] } },
		};
		const both = newAdvisory({
			...BUNDLE,
			affected: [affected, other],
			database_specific: { kfn: { ...BUNDLE.database_specific.kfn, names: ["gro", "tso"] } },
		});
		const publishers = [map(["gro"], 1, ann), map(["tso"], 2, bob, eve)];
		const byAnn = await signDsseEnvelope(both, ann);
		await expect(opens(byAnn, ...publishers)).rejects.toEqual(refused("SIGNATURE_THRESHOLD"));
		const byTwo = await signDsseEnvelope(byAnn, bob);
		await expect(opens(byTwo, ...publishers)).rejects.toEqual(refused("SIGNATURE_THRESHOLD"));
		const byAll = await signDsseEnvelope(byTwo, eve);
		expect((await opens(byAll, ...publishers)).names).toEqual(["gro", "tso"]);
		await expect(opens(byAll, publishers[0]!)).rejects.toEqual(refused("PUBLISHERS_NO_MATCH"));
		// Two keys of the second publisher do not stand in for one of the first.
		const withoutAnn = await signDsseEnvelope(await signDsseEnvelope(both, bob), eve);
		await expect(opens(withoutAnn, ...publishers)).rejects.toEqual(refused("SIGNATURE_THRESHOLD"));
	});
});

describe("attacks", () => {
	test("unsigned, of a stranger, of too few, with a stranger's beside enough good ones", async () => {
		const ofAnn = map(["gro"], 1, ann);
		await expect(opens(newAdvisory(BUNDLE), ofAnn)).rejects.toEqual(refused("SIGNATURE_MISSING"));
		await expect(opens(await signDsseEnvelope(newAdvisory(BUNDLE), eve), ofAnn)).rejects.toEqual(
			refused("SIGNATURE_UNKNOWN_KEY"),
		);
		await expect(opens(one, map(["gro"], 2, ann, bob))).rejects.toEqual(refused("SIGNATURE_THRESHOLD"));
		await expect(opens(await signDsseEnvelope(one, eve), ofAnn)).rejects.toEqual(
			refused("SIGNATURE_UNKNOWN_KEY"),
		);
	});

	test("forged withdrawal: the publisher's document with a withdrawn, and somebody's own", async () => {
		const withdrawn = newAdvisory({ ...BUNDLE, withdrawn: BUNDLE.modified });
		await expect(opens({ ...one, payload: withdrawn.payload }, map(["gro"], 1, ann))).rejects.toEqual(
			refused("SIGNATURE_INVALID"),
		);
		await expect(opens(await signDsseEnvelope(withdrawn, eve), map(["gro"], 1, ann))).rejects.toEqual(
			refused("SIGNATURE_UNKNOWN_KEY"),
		);
	});

	test("a withdrawal of a key that was revoked", async () => {
		const withdrawn = await signDsseEnvelope(newAdvisory({ ...BUNDLE, withdrawn: BUNDLE.modified }), ann);
		const revoked = [{ key: ann.publicKey, reason: "stolen", manifests: [] }];
		await expect(opens(withdrawn, { ...map(["gro"], 1, bob), revoked })).rejects.toEqual(
			refused("SIGNATURE_REVOKED_KEY"),
		);
	});

	test("listed under a name that it does not speak for", () =>
		expect(openAdvisory(one, "tso", { publishers: [map(["*"], 1, ann)] }, NOW)).rejects.toEqual(
			refused("ADVISORY_SCOPE"),
		));

	test("dated beyond every later correction", async () => {
		const at = async (modified: string) =>
			opens(await signDsseEnvelope(newAdvisory({ ...BUNDLE, modified }), ann), map(["gro"], 1, ann));
		await at("2026-11-29T12:05:00Z");
		await expect(at("2026-11-29T12:05:01Z")).rejects.toEqual(refused("ADVISORY_NOT_YET"));
		await expect(at("9999-12-31T23:59:59Z")).rejects.toEqual(refused("ADVISORY_NOT_YET"));
	});

	test("any bit of the payload changed after signing", async () => {
		for (let at = 0; at < one.payload.length; at += 7) {
			const payload = new Uint8Array(one.payload);
			payload[at]! ^= 1;
			await expect(opens({ ...one, payload }, map(["gro"], 1, ann))).rejects.toEqual(
				expect.objectContaining({
					code: expect.stringMatching(/^(SIGNATURE_INVALID|ADVISORY_MALFORMED|PUBLISHERS_NO_MATCH)$/),
				}),
			);
		}
	});

	test("a bundle's signature over the same bytes passed off as an advisory's", async () => {
		const sig = await sign(ann, pae(MANIFEST_PAYLOAD_TYPE, one.payload));
		const envelope = { ...one, signatures: [{ keyid: ann.publicKey.keyid, sig }] };
		await expect(opens(envelope, map(["gro"], 1, ann))).rejects.toEqual(refused("SIGNATURE_INVALID"));
	});
});

describe("one reading", () => {
	const field = (name: string, value: unknown) => (document: Fields) => ({ ...document, [name]: value });
	const entry = (change: Fields) => (document: Fields) => ({
		...document,
		affected: [{ ...(document["affected"] as Fields[])[0], ...change }],
	});
	const kfn = (change: Fields) => (document: Fields) => ({
		...document,
		database_specific: { kfn: { ...(document["database_specific"] as { kfn: Fields }).kfn, ...change } },
	});
	const range = (...events: Fields[]) => entry({ ranges: [{ type: "SEMVER", events }] });
	const own = { bundle: "gro", function: "gro", abi: 1, tags: [TAG] };

	test.each<[string, (document: Fields) => unknown]>([
		["a field that OSV does not know", field("note", "x")],
		["a field of OSV that kfn does not read", field("credits", [{ name: "Ann" }])],
		["another schema version", field("schema_version", "1.6.0")],
		["an id of a registered database", field("id", "CVE-2026-46306")],
		["an id with a path", field("id", "x_KFN-../../1")],
		["a time with fractions", field("modified", "2026-11-29T12:00:00.0Z")],
		["a day that does not exist", field("modified", "2026-11-31T12:00:00Z")],
		["published after it was modified", field("published", "2026-11-29T12:00:01Z")],
		["withdrawn after it was modified", field("withdrawn", "2026-11-29T12:00:01Z")],
		["a summary of two lines", field("summary", "one\ntwo")],
		["a summary that turns text around", field("summary", "a\u202eb")],
		["details that clear the screen", field("details", "\u001b[2J")],
		["a severity that is no vector", field("severity", [{ type: "CVSS_V3", score: "7.5" }])],
		["a severity in words", field("severity", [{ type: "Ubuntu", score: "high" }])],
		["a reference that runs", field("references", [{ type: "WEB", url: "javascript:alert(1)" }])],
		["nothing affected", field("affected", [])],
		["a package of somebody else's", entry({ package: { ecosystem: "npm", name: "gro" } })],
		["our name in a registered ecosystem", entry({ package: { ecosystem: "Linux", name: "gro" } })],
		[
			"an affected bundle that says nothing",
			entry({ ranges: undefined, versions: undefined, database_specific: { kfn: { ...own, tags: [] } } }),
		],
		["two spans in one range", range({ introduced: "0" }, { fixed: "1.0.1" }, { introduced: "1.1.0" })],
		["events in another order", range({ fixed: "1.0.1" }, { introduced: "0" })],
		["a limit", range({ introduced: "0" }, { limit: "1.0.1" })],
		["two kinds of event in one", range({ introduced: "0", fixed: "1.0.1" })],
		["a range that holds nothing", range({ introduced: "1.0.1" }, { fixed: "1.0.1" })],
		["a range that is turned around", range({ introduced: "1.0.2" }, { last_affected: "1.0.1" })],
		["a version with a v", range({ introduced: "v1.0.0" })],
		[
			"a range of commits",
			entry({ ranges: [{ type: "GIT", repo: "https://a.b", events: [{ introduced: "0" }] }] }),
		],
		["a tag in upper case", entry({ database_specific: { kfn: { ...own, tags: [TAG.toUpperCase()] } } })],
		["an abi of 0", entry({ database_specific: { kfn: { ...own, abi: 0 } } })],
		["a bundle that is not among its names", kfn({ names: ["tso"] })],
		["a name of which it says nothing", kfn({ names: ["gro", "tso"] })],
		["a name twice", kfn({ names: ["gro", "gro"] })],
		["a pattern of names", kfn({ names: ["gro*"] })],
		["another kind", kfn({ kind: "other" })],
		["a fix by what is affected itself", kfn({ fixedBy: [{ bundle: "gro", from: "1.0.2", config: {} }] })],
		["a bundle called kernel code", kfn({ kind: "kernel-code" })],
	])("%s is ADVISORY_MALFORMED", (_what, change) => {
		expect(() => newAdvisory(BUNDLE)).not.toThrow();
		expect(() => newAdvisory(change(BUNDLE))).toThrow(refused("ADVISORY_MALFORMED"));
	});

	const fix = (change: Fields) => kfn({ fixedBy: [{ bundle: "gro", from: "1.0.1", config: {}, ...change }] });
	const kernelRange = (...events: Fields[]) => entry({ ranges: [{ type: "ECOSYSTEM", events }] });
	test.each<[string, (document: Fields) => unknown]>([
		["a fix by a bundle of another name", fix({ bundle: "tso" })],
		["a fix from a range", fix({ from: ">=1.0.1" })],
		["a parameter with an object", fix({ config: { patch: {} } })],
		["a parameter named __proto__", fix({ config: JSON.parse('{"__proto__":["a"]}') })],
		["a list of two types", fix({ config: { patch: ["a", 1] } })],
		["a fix of what only a kernel fixes", kfn({ kind: "kernel-only" })],
		["a kernel called a bundle", kfn({ kind: "bundle", fixedBy: [] })],
		["a distribution's kernel version", kernelRange({ introduced: "6.1.0-47" })],
		["a kernel range in semver", entry({ ranges: [{ type: "SEMVER", events: [{ introduced: "6.1.0" }] }] })],
		["a kernel without ranges", entry({ ranges: undefined })],
		["another ecosystem's kernel", entry({ package: { ecosystem: "Debian:12", name: "linux" } })],
	])("of a kernel: %s is ADVISORY_MALFORMED", (_what, change) => {
		expect(() => newAdvisory(KERNEL)).not.toThrow();
		expect(() => newAdvisory(change(KERNEL))).toThrow(refused("ADVISORY_MALFORMED"));
	});

	test("other spellings of payload and envelope", () => {
		const text = Buffer.from(one.payload).toString();
		for (const other of [
			text.slice(0, -1),
			JSON.stringify(BUNDLE),
			text.replace('"id":', '"summary": "x",\n  "id":'),
			text.replace("x_KFN", "\\u0078_KFN"),
			`\ufeff${text}`,
			text.padEnd(32 * 1024 + 1),
		]) {
			expect(other).not.toBe(text);
			const payload = new TextEncoder().encode(other);
			expect(() =>
				unverifiedAdvisory({ payloadType: ADVISORY_PAYLOAD_TYPE, payload, signatures: [] }),
			).toThrow(refused("ADVISORY_MALFORMED"));
		}
		const file = Buffer.from(serializeDsseEnvelope(one)).toString();
		for (const other of [file.slice(0, -1), file.replace("advisory.v1", "advisory.v2"), "", "[]"]) {
			expect(() => parseAdvisoryFile(new TextEncoder().encode(other))).toThrow(refused("ADVISORY_MALFORMED"));
		}
	});
});

test("kernels in order: 6.1.9 before 6.1.10, 6.1 is 6.1.0, and a span ends where it says", () => {
	expect(["6.1.10", "6.1.9", "6.10", "6.2", "6.1"].sort(compareKernels)).toEqual([
		"6.1",
		"6.1.9",
		"6.1.10",
		"6.2",
		"6.10",
	]);
	expect(compareKernels("6.1", "6.1.0")).toBe(0);
	expect(["6", "6.01", "6.1.", "6.1.0-47", "v6.1", "0", ""].filter(isKernelVersion)).toEqual([]);
	const fixed = { introduced: "6.0", fixed: "6.1.175", lastAffected: null };
	const last = { introduced: "0", fixed: null, lastAffected: "6.1.170" };
	expect(["5.19.17", "6.0", "6.1.174", "6.1.175", "6.2"].map((v) => spanHolds(fixed, v, "kernel"))).toEqual([
		false,
		true,
		true,
		false,
		false,
	]);
	expect(["4.4", "6.1.170", "6.1.171"].map((v) => spanHolds(last, v, "kernel"))).toEqual([true, true, false]);
	expect(spanHolds({ introduced: "1.0.0", fixed: "1.0.2", lastAffected: null }, "1.0.2-rc.1", "bundle")).toBe(
		true,
	);
});
