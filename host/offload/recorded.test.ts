// What devices of other drivers said, in the tools' own words (testing/recorded): it parses, and what is not understood is no claim.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ShapeError } from "../shape.ts";
import { devlinkClaims, devlinkDocument } from "./devlink.ts";
import { carriersOf, parseEthtoolFeatures, switched, wrongFeatures } from "./features.ts";

const FOLDER = join(import.meta.dirname, "testing/recorded");
const PAGE = join(import.meta.dirname, "../../docs/formats/devlink.md");
const recorded = (begin: string) => readdirSync(FOLDER).filter((name) => name.startsWith(begin));
const read = (name: string): unknown => JSON.parse(readFileSync(join(FOLDER, name), "utf8"));

const TAG = `kfn1:${"ab".repeat(32)}`;
const running = (versions: Record<string, string>) => devlinkClaims({ versions: { running: versions } });

test.each(recorded("devlink-"))("%s parses and claims nothing", (name) => {
	const devices = Object.entries(devlinkDocument(read(name), ""));
	expect(devices).toHaveLength(1);
	for (const [handle, info] of devices) {
		expect(handle).toMatch(/^pci\/0000:/);
		expect(Object.keys(info.versions?.running ?? {}).length).toBeGreaterThan(5);
		expect(devlinkClaims(info)).toMatchObject({ kind: "none", reason: "none" });
	}
});

test.each(recorded("ethtool-"))("%s parses, under the kernel's names", (name) => {
	const { device, features } = parseEthtoolFeatures(read(name));
	expect(device).toMatch(/^[a-z]0$/);
	// tun's is requested and not active: what it rests on, checksums, is off.
	const active = !name.includes("tun");
	expect(features["tx-tcp-segmentation"]).toEqual({ active, fixed: false, requested: true });
	expect(features["rx-lro"]).toMatchObject({ fixed: true });
	expect(Object.keys(features).length).toBeGreaterThan(50);
	const tso = carriersOf("tso")!;
	expect(wrongFeatures(tso, features, false).includes("tx-tcp-segmentation")).toBe(active);
	expect(switched(tso, features, false)).toMatchObject({
		"tx-tcp-segmentation": false,
		"tx-tcp6-segmentation": false,
	});
});

test("the page's example says what the page says of it", () => {
	const [, text] = /```json devlink\n([^`]*)```/.exec(readFileSync(PAGE, "utf8"))!;
	const info = devlinkDocument(JSON.parse(text!), "")["pci/0000:03:00.0"]!;
	const answer = devlinkClaims(info);
	expect(answer).toMatchObject({ kind: "claims" });
	const claims = answer.kind === "claims" ? answer.claims : [];
	expect(claims.map((claim) => [claim.function, claim.abi, claim.config, claim.from])).toEqual([
		["tso", 1, "any", "fw.app.kfn.tso"],
		["tso", 1, "any", "fw.app.kfn.tso.1"],
		["gro", null, null, "fw.app.kfn.gro"],
	]);
});

test.each([
	["an empty value", { "fw.app.kfn.tso": "" }],
	["a tag in capitals", { "fw.app.kfn.tso": TAG.toUpperCase() }],
	["a short tag", { "fw.app.kfn.tso": TAG.slice(0, -1) }],
	["a newline at the end", { "fw.app.kfn.tso": `${TAG}\n` }],
	["two spaces", { "fw.app.kfn.tso": `${TAG}  abi=1` }],
	["words in another order", { "fw.app.kfn.tso": `${TAG} config=any abi=1` }],
	["ABI 0", { "fw.app.kfn.tso": `${TAG} abi=0` }],
	["an unknown word", { "fw.app.kfn.tso": `${TAG} abi=1 turbo=yes` }],
	["a config that is no digest", { "fw.app.kfn.tso": `${TAG} config=all` }],
	["number 0", { "fw.app.kfn.tso.0": TAG }],
	["number 16", { "fw.app.kfn.tso.16": TAG }],
	["a number with a zero", { "fw.app.kfn.tso.01": TAG }],
	["a name in capitals", { "fw.app.kfn.TSO": TAG }],
	["no name", { "fw.app.kfn.": TAG }],
	["the bare prefix", { "fw.app.kfn": TAG }],
	["the same twice", { "fw.app.kfn.tso": TAG, "fw.app.kfn.tso.1": TAG }],
	["one good and one bad", { "fw.app.kfn.gro": TAG, "fw.app.kfn.tso": "1.0.0" }],
])("of a device that says %s, nothing counts", (_, versions) => {
	expect(running(versions)).toMatchObject({ kind: "none", reason: "malformed" });
});

test("stored and fixed versions are no claims, and names of others are theirs", () => {
	const versions = { stored: { "fw.app.kfn.tso": TAG }, fixed: { "fw.app.kfn.tso": "nonsense" } };
	expect(devlinkClaims({ versions })).toMatchObject({ kind: "none", reason: "none" });
	expect(running({ "fw.app.kfnord": "1", "fw.app": TAG })).toMatchObject({ kind: "none", reason: "none" });
	expect(devlinkClaims(null)).toMatchObject({ kind: "none", reason: "none" });
});

test.each([
	["no list", { ifname: "v0" }],
	["two devices", [{ ifname: "a" }, { ifname: "b" }]],
	["no name", [{ "tx-tcp-segmentation": { active: true, fixed: false, requested: true } }]],
	["a feature that is a word", [{ ifname: "v0", "tx-tcp-segmentation": "on" }]],
	[
		"a feature with a field more",
		[{ ifname: "v0", x: { active: true, fixed: false, requested: true, maybe: 1 } }],
	],
	["a feature that may be on", [{ ifname: "v0", x: { active: null, fixed: false, requested: true } }]],
])("features with %s are refused", (_, document) => {
	expect(() => parseEthtoolFeatures(document)).toThrow(ShapeError);
});

test("fuzz: mutated outputs give a value or a ShapeError", () => {
	let state = 0x6b666e;
	const next = (below: number) => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) % below;
	};
	const texts = [...recorded("devlink-"), ...recorded("ethtool-")].map((name) =>
		readFileSync(join(FOLDER, name), "utf8"),
	);
	texts.push(
		JSON.stringify({
			info: { "a/b": { versions: { running: { "fw.app.kfn.tso": `${TAG} abi=1 config=any` } } } },
		}),
	);
	const pieces = [
		'"',
		"{",
		"}",
		"[",
		"]",
		",",
		":",
		"null",
		"true",
		"1e9",
		'"__proto__"',
		"kfn1:",
		"\\u0000",
		" abi=",
		".",
	];
	let parsed = 0;
	for (let i = 0; i < 4000; i++) {
		let text = texts[next(texts.length)]!;
		for (let edits = 1 + next(3); edits > 0; edits--) {
			const at = next(text.length);
			text =
				text.slice(0, at) + (next(2) === 0 ? "" : pieces[next(pieces.length)]) + text.slice(at + next(4));
		}
		let document: unknown;
		try {
			document = JSON.parse(text);
		} catch {
			continue;
		}
		parsed++;
		for (const read of [
			parseEthtoolFeatures,
			(value: unknown) => Object.values(devlinkDocument(value, "")).map(devlinkClaims),
		]) {
			try {
				read(document);
			} catch (error) {
				expect(error).toBeInstanceOf(ShapeError);
			}
		}
	}
	expect(parsed).toBeGreaterThan(500);
});
