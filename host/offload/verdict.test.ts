// Every condition by itself, and their sum: a device may take a function over only where none fails.
import { expect, test } from "vitest";
import type { Claim, NoClaim, SourceAnswer } from "./source.ts";
import type { Standing } from "./standing.ts";
import { type ConditionName, isSecurity, type VerdictInput, verdictOf } from "./verdict.ts";

const NOTHING_KNOWN: Standing = { revoked: () => undefined, advisories: () => [] };
const TAG = `kfn1:${"11".repeat(32)}`;
const OLD = `kfn1:${"22".repeat(32)}`;
const CONFIG = "cc".repeat(32);
const ON = { active: true, fixed: false, requested: true };
const SILENT: SourceAnswer = { kind: "none", reason: "none", why: "the device has no devlink" };

const claim = (change: Partial<Claim> = {}): Claim => ({
	...{ source: "catalogue", function: "tso", abi: 1, tag: TAG, config: "any", from: "example 7" },
	limits: { maxSegments: 65_535, headerDepth: 256, protocols: ["ipv4", "ipv6", "tcp"] },
	...change,
});
const says = (...claims: readonly Partial<Claim>[]): SourceAnswer => ({
	kind: "claims",
	claims: claims.map(claim),
});
const driver = (...claims: readonly Partial<Claim>[]): SourceAnswer =>
	says(...claims.map((one) => ({ source: "devlink", limits: {}, from: "fw.app.kfn.tso", ...one }) as const));

const input = (change: Partial<VerdictInput> = {}): VerdictInput => ({
	function: "tso",
	identity: {
		...{ device: "eth0", bus: "pci", driver: "ice", firmware: "4.40" },
		vendor: "8086",
		deviceId: "1592",
	},
	running: {
		...{ function: "tso", abi: 1, tag: TAG, configDigest: CONFIG, bundle: "tso", version: "1.0.1" },
		...{ scope: "dev:eth0", live: true },
	},
	answers: { catalogue: says({}), devlink: SILENT },
	features: { "tx-tcp-segmentation": ON, "tx-tcp6-segmentation": ON },
	gsoMaxSegments: 65_535,
	standing: NOTHING_KNOWN,
	release: () => undefined,
	...change,
});
const failed = (change: Partial<VerdictInput>) =>
	verdictOf(input(change)).failed.map(({ condition }) => condition);
const catalogue = (answer: SourceAnswer) => failed({ answers: { catalogue: answer, devlink: SILENT } });
const both = (one: SourceAnswer, other: SourceAnswer) =>
	failed({ answers: { catalogue: one, devlink: other } });

test("equal tag, ABI and config, within limits, not revoked, signed: offloadable", () => {
	expect(verdictOf(input())).toMatchObject({
		offloadable: true,
		failed: [],
		evidence: "claimed",
		fits: { from: "example 7" },
	});
	expect(both(says({}), driver({}))).toEqual([]);
	expect(both(says({}), driver({ abi: null, config: null }))).toEqual([]);
	expect(both(says({ config: CONFIG }), driver({ config: "any" }))).toEqual(["sources-disagree"]);
	expect(catalogue(says({ tag: OLD }, {}))).toEqual([]);
});

test("what was seen of the device counts beside what is claimed", () => {
	const at = "2026-11-29T12:00:00.000Z";
	expect(verdictOf(input({ observation: { agrees: true, at } }))).toMatchObject({
		offloadable: true,
		evidence: "claimed and observed",
	});
	const otherwise = verdictOf(input({ observation: { agrees: false, at } }));
	expect(otherwise).toMatchObject({
		offloadable: false,
		failed: [{ condition: "observed-otherwise", details: { at } }],
		evidence: "claimed",
	});
	expect(otherwise.failed.some(isSecurity)).toBe(true);
});

test.each<NoClaim>([
	...(["unsigned", "untrusted", "foreign-vendor", "expired", "not-yet"] as const),
	...(["wrong-firmware", "replayed", "malformed", "unreadable"] as const),
])("a catalogue that is %s keeps the device out under that name", (reason) => {
	expect(catalogue({ kind: "none", reason, why: "because" })).toEqual([reason]);
	const security: NoClaim[] = ["unsigned", "untrusted", "foreign-vendor", "replayed", "malformed"];
	expect(isSecurity({ condition: reason as ConditionName, message: "" })).toBe(security.includes(reason));
});

test("without a catalogue, or one that does not name the function, the driver's word is not enough", () => {
	expect(both(SILENT, driver({}))).toEqual(["no-catalogue"]);
	expect(both(says({ function: "gro" }), driver({}))).toEqual(["no-catalogue"]);
});

test("each part of a claim", () => {
	expect(catalogue(says({ tag: OLD }))).toEqual(["tag"]);
	expect(catalogue(says({ abi: 2 }))).toEqual(["abi"]);
	expect(catalogue(says({ abi: null }))).toEqual(["abi"]);
	expect(catalogue(says({ config: "dd".repeat(32) }))).toEqual(["config"]);
	expect(catalogue(says({ config: null }))).toEqual(["config"]);
	expect(catalogue(says({ config: CONFIG }))).toEqual([]);
	expect(catalogue(says({ abi: 2, config: null, limits: {} }))).toEqual([
		"abi",
		"config",
		"limits",
		"limits",
		"limits",
	]);
});

test("a limit that is too small or not claimed", () => {
	const limits = claim().limits;
	expect(catalogue(says({ limits: { ...limits, maxSegments: 64 } }))).toEqual(["limits"]);
	expect(
		failed({
			gsoMaxSegments: 64,
			answers: { catalogue: says({ limits: { ...limits, maxSegments: 64 } }), devlink: SILENT },
		}),
	).toEqual([]);
	expect(
		failed({
			gsoMaxSegments: 0,
			answers: { catalogue: says({ limits: { ...limits, maxSegments: 64 } }), devlink: SILENT },
		}),
	).toEqual(["limits"]);
	expect(catalogue(says({ limits: { ...limits, protocols: ["ipv4", "tcp"] } }))).toEqual(["limits"]);
	const { headerDepth: _, ...shallow } = limits;
	expect(catalogue(says({ limits: shallow }))).toEqual(["limits"]);
});

test("sources that disagree, and a driver that nobody understands", () => {
	expect(both(says({}), driver({ tag: OLD }))).toEqual(["sources-disagree"]);
	expect(both(says({ tag: OLD }), driver({}))).toEqual(["sources-disagree", "tag"]);
	expect(both(says({ tag: OLD }), driver({ tag: OLD }))).toEqual(["tag"]);
	expect(both(says({ tag: OLD }), driver({ tag: `kfn1:${"33".repeat(32)}` }))).toEqual([
		"sources-disagree",
		"tag",
	]);
	expect(both(says({}), driver({ abi: 2 }))).toEqual(["sources-disagree"]);
	expect(both(says({}), driver({ function: "gro", tag: OLD }))).toEqual([]);
	expect(both(says({}), { kind: "none", reason: "malformed", why: "fw.app.kfn.tso" })).toEqual(["malformed"]);
	expect(both(says({}), { kind: "none", reason: "unreadable", why: "EIO" })).toEqual(["unreadable"]);
});

test("what this host runs", () => {
	expect(failed({ running: null })).toEqual(["not-running"]);
	expect(failed({ running: { ...input().running!, live: false } })).toEqual(["not-running"]);
	const revoked = (tag: string) =>
		tag === TAG ? { id: "KFN-2026-1", reason: "wrong checksums" } : undefined;
	expect(failed({ standing: { ...NOTHING_KNOWN, revoked } })).toEqual(["revoked"]);
});

test("features that the device does not have or switch, and functions without one", () => {
	expect(failed({ features: {} })).toEqual(["no-feature"]);
	expect(
		failed({ features: { "tx-tcp-segmentation": ON, "tx-tcp6-segmentation": { ...ON, fixed: true } } }),
	).toEqual(["no-feature"]);
	const dissector = { ...input().running!, function: "flow-dissector" };
	expect(
		failed({
			function: "flow-dissector",
			running: dissector,
			answers: { catalogue: says({ function: "flow-dissector" }), devlink: SILENT },
		}),
	).toEqual(["no-feature"]);
});

test("of another tag it says which release that is, its age, its advisories and its revocation", () => {
	const release = (tag: string) =>
		tag === OLD
			? { bundle: "tso", version: "1.0.0", since: "2026-01-02T03:04:05.000Z", advisories: ["KFN-2026-7"] }
			: undefined;
	const revoked = (tag: string) => (tag === OLD ? { id: "KFN-2026-8", reason: "x" } : undefined);
	const standing = { ...NOTHING_KNOWN, revoked };
	const { failed: conditions } = verdictOf(
		input({ release, standing, answers: { catalogue: says({ tag: OLD }), devlink: SILENT } }),
	);
	expect(conditions).toHaveLength(1);
	expect(conditions[0]).toMatchObject({
		message:
			"this host runs tso 1.0.1, the device tso 1.0.0 (of 2026-01-02; affected by KFN-2026-7; revoked by KFN-2026-8)",
		details: {
			advertised: [{ tag: OLD, version: "1.0.0", advisories: ["KFN-2026-7"], revoked: "KFN-2026-8" }],
		},
	});
});
