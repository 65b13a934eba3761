// kfn.json and kfn.package.json: one spelling, no unknown field, and every rule broken once.
import { describe, expect, it } from "vitest";
import { parseDigest, sha256 } from "./digest.ts";
import { LIMITS } from "./limits.ts";
import { type Manifest, parseManifest, serializeManifest } from "./manifest.ts";
import { type PackageManifest, parsePackageManifest } from "./package-manifest.ts";
import { readPinnedManifest } from "./pinned-manifest.ts";
import { tagOf } from "./tag.ts";
import { codeOf, refusal } from "./testing/refusal.ts";
import { SAMPLE_FLAGS, samplePackage } from "./testing/sample.ts";

const file = (path: string) => ({ path, size: 1, sha256: parseDigest("ab".repeat(32)) });
const FILES = ["LICENSE", "obj/a.bpf.o", "src/a.bpf.c", "src/kfn/b.h", "vectors/a.jsonl"].map(file);

const GOOD = {
	schema: "kfn.bundle/1",
	name: "sample",
	version: "1.0.0",
	summary: "A sample",
	license: "GPL-2.0-only OR BSD-2-Clause",
	function: { name: "flow-dissector", abi: 1 },
	tag: { value: tagOf([FILES[2]!, FILES[3]!]), files: ["src/a.bpf.c", "src/kfn/b.h"] },
	variants: [
		{
			name: "generic",
			object: "obj/a.bpf.o",
			requires: { kernel: ">=5.10", features: ["link:netns", "prog_type:flow_dissector"] },
			programs: [
				{
					name: "a",
					section: "flow_dissector",
					type: "flow_dissector",
					hook: "netns",
					insns: 2,
					insnsDigest: null,
				},
			],
		},
	],
	config: { depth: { type: "u32", default: 3, summary: "Levels" } },
	state: [{ map: "flows", migrate: "keep" }],
	vectors: ["vectors/a.jsonl"],
	fixes: ["CVE-2026-46306"],
	build: {
		compiler: "clang",
		version: "19.1.7",
		flags: SAMPLE_FLAGS,
		units: [{ source: "src/a.bpf.c", object: "obj/a.bpf.o" }],
	},
	files: FILES,
} as unknown as Manifest;

/** The JSON pointer's parent object and last key. */
function locate(root: unknown, pointer: string): [parent: Record<string, unknown>, key: string] {
	const keys = pointer.split("/").slice(1);
	const last = keys.pop()!;
	const parent = keys.reduce((at, key) => (at as Record<string, unknown>)[key], root);
	return [parent as Record<string, unknown>, last];
}

/** The good manifest's bytes with other values at some JSON pointers; undefined takes the field away. */
function changed(values: Readonly<Record<string, unknown>>): Uint8Array {
	const copy = structuredClone(GOOD);
	for (const [pointer, value] of Object.entries(values)) {
		const [parent, key] = locate(copy, pointer);
		if (value === undefined) delete parent[key];
		else parent[key] = value;
	}
	return Buffer.from(`${JSON.stringify(copy, null, 2)}\n`);
}
const VARIANT = GOOD.variants[0]!;
const goodText = Buffer.from(serializeManifest(GOOD)).toString();

describe("a good manifest", () => {
	it("is read back from its own spelling", () => {
		expect(parseManifest(serializeManifest(GOOD))).toEqual(GOOD);
		expect(Buffer.from(changed({})).toString()).toBe(goodText);
	});

	it("is spelled the same whatever the order of its keys", () => {
		const flip = (value: unknown): unknown => {
			if (Array.isArray(value)) return value.map(flip);
			if (typeof value !== "object" || value === null) return value;
			return Object.fromEntries(
				Object.entries(value)
					.reverse()
					.map(([key, item]) => [key, flip(item)]),
			);
		};
		expect(serializeManifest(flip(GOOD) as Manifest)).toEqual(serializeManifest(GOOD));
	});
});

describe("a manifest that is pinned by its digest", () => {
	const bytes = serializeManifest(GOOD);

	it("is read without the schema, and only if not one byte differs", () => {
		expect(readPinnedManifest(bytes, sha256(bytes))).toEqual(GOOD);
		expect(readPinnedManifest(changed({ "/version": "9.9.9" }), sha256(bytes))).toBeUndefined();
	});
});

describe("other spellings of the same manifest", () => {
	it.each([
		["repeated key", goodText.replace('"name": "sample",', '"name": "evil",\n  "name": "sample",')],
		["no indentation", `${JSON.stringify(GOOD)}\n`],
		["no line feed at the end", goodText.slice(0, -1)],
		["blank at the end", `${goodText} `],
		["carriage returns", goodText.replaceAll("\n", "\r\n")],
		["escaped letter", goodText.replace("A sample", "\\u0041 sample")],
		["number as fraction", goodText.replace('"abi": 1', '"abi": 1.0')],
		["number with exponent", goodText.replace('"abi": 1', '"abi": 1e0')],
		[
			"keys in another order",
			goodText.replace(/( {2}"name": "sample",\n)( {2}"version": "1.0.0",\n)/, "$2$1"),
		],
	])("%s", (_spelling, text) => {
		expect(text).not.toBe(goodText);
		expect(codeOf(() => parseManifest(Buffer.from(text)))).toBe("BUNDLE_MANIFEST_NOT_CANONICAL");
	});

	it("sorted config only", () => {
		const bytes = changed({ "/config": { z: GOOD.config["depth"], a: GOOD.config["depth"] } });
		expect(codeOf(() => parseManifest(bytes))).toBe("BUNDLE_MANIFEST_NOT_CANONICAL");
	});
});

describe("what is no manifest at all", () => {
	it.each([
		["nothing", Buffer.alloc(0)],
		["byte order mark", Buffer.from(`\ufeff${goodText}`)],
		["invalid UTF-8", Buffer.from(goodText.replace("A sample", "A \xff"), "latin1")],
		["array", Buffer.from("[]\n")],
		["null", Buffer.from("null\n")],
		["deep nesting", Buffer.from("[".repeat(500_000))],
		[
			"deep nesting where a value is free",
			Buffer.from(goodText.replace('"default": 3', `"default": ${"[".repeat(9999)}${"]".repeat(9999)}`)),
		],
	])("%s", (_what, bytes) => {
		expect(codeOf(() => parseManifest(bytes))).toBe("BUNDLE_MANIFEST_INVALID");
	});

	it("manifest over its limit", () => {
		expect(codeOf(() => parseManifest(Buffer.alloc(LIMITS.manifestBytes + 1, 0x20)))).toBe(
			"BUNDLE_TOO_LARGE",
		);
	});
});

describe("schema", () => {
	const objects = [
		"",
		"/function",
		"/tag",
		"/variants/0",
		"/variants/0/requires",
		"/variants/0/programs/0",
		"/config/depth",
		"/state/0",
		"/build",
		"/build/units/0",
		"/files/0",
	];

	it.each(objects)("unknown field in %j", (path) => {
		const error = refusal(() => parseManifest(changed({ [`${path}/evil`]: 1 })));
		expect([error.code, error.details["path"]]).toEqual(["BUNDLE_MANIFEST_INVALID", path || "/"]);
		expect(error.message).toContain('"evil" is not a known field');
	});

	it.each(objects)("unknown field __proto__ in %j", (path) => {
		const text = Buffer.from(changed({ [`${path}/evil`]: 1 }))
			.toString()
			.replace('"evil": 1', '"__proto__": {}');
		expect(codeOf(() => parseManifest(Buffer.from(text)))).toBe("BUNDLE_MANIFEST_INVALID");
	});

	it.each(objects)("each field of %j is needed", (path) => {
		const [parent, key] = locate({ root: GOOD }, `/root${path}`);
		for (const field of Object.keys(parent[key] as object)) {
			const bytes = changed({ [`${path}/${field}`]: undefined });
			expect([field, codeOf(() => parseManifest(bytes))]).toEqual([field, "BUNDLE_MANIFEST_INVALID"]);
		}
	});

	it.each([
		["/schema", { "/schema": "kfn.bundle/2" }],
		["/name", { "/name": "Sample" }],
		["/summary", { "/summary": "two\nlines" }],
		["/summary", { "/summary": "\u202eevil" }],
		["/summary", { "/summary": "\ud800" }],
		["/summary", { "/summary": "x".repeat(201) }],
		["/function/abi", { "/function/abi": 0 }],
		["/tag/value", { "/tag/value": "kfn1:x" }],
		["/variants", { "/variants": [] }],
		["/variants/0/programs/0/type", { "/variants/0/programs/0/type": "xdp" }],
		["/variants/0/requires/features/0", { "/variants/0/requires/features/0": "magic" }],
		["/config/depth/default", { "/config/depth/default": -1 }],
		["/config/depth/type", { "/config/depth/type": "bool" }],
		["/state/0/migrate", { "/state/0/migrate": "guess" }],
		["/fixes/0", { "/fixes/0": "not an id" }],
		["/build/compiler", { "/build/compiler": "gcc" }],
		["/files/0/size", { "/files/0/size": -1 }],
		["/files/0/sha256", { "/files/0/sha256": "AB".repeat(32) }],
	])("%s out of bounds", (path, change) => {
		const error = refusal(() => parseManifest(changed(change)));
		expect([error.code, error.details["path"]]).toEqual(["BUNDLE_MANIFEST_INVALID", path]);
	});
});

describe("rules", () => {
	it.each([
		["version with build metadata", "BUNDLE_VERSION_INVALID", { "/version": "1.0.0+x" }],
		["licence without GPL", "BUNDLE_LICENCE_MISMATCH", { "/license": "MIT" }],
		["path escape in files", "BUNDLE_PATH_ESCAPE", { "/files/0/path": "../LICENSE" }],
		["manifest that names itself", "BUNDLE_PATH_INVALID", { "/files/0/path": "kfn.json" }],
		["files out of order", "BUNDLE_MANIFEST_INVALID", { "/files": FILES.toReversed() }],
		["file named twice", "BUNDLE_MANIFEST_INVALID", { "/files": [FILES[0], ...FILES] }],
		[
			"file as a folder",
			"BUNDLE_PATH_INVALID",
			{ "/files": [...FILES.slice(0, 3), file("src/kfn"), ...FILES.slice(3)] },
		],
		["tag of other sources", "BUNDLE_TAG_MISMATCH", { "/tag/value": `kfn1:${"0".repeat(64)}` }],
		["source left out of the tag", "BUNDLE_MANIFEST_INVALID", { "/tag/files": ["src/a.bpf.c"] }],
		[
			"object in the tag",
			"BUNDLE_MANIFEST_INVALID",
			{ "/tag/files": ["obj/a.bpf.o", "src/a.bpf.c", "src/kfn/b.h"] },
		],
		[
			"tagged files out of order",
			"BUNDLE_MANIFEST_INVALID",
			{ "/tag/files": ["src/kfn/b.h", "src/a.bpf.c"] },
		],
		["object that is no file", "BUNDLE_MANIFEST_INVALID", { "/variants/0/object": "obj/b.bpf.o" }],
		[
			"object without a variant",
			"BUNDLE_MANIFEST_INVALID",
			{ "/files": [FILES[0], FILES[1], file("obj/b.bpf.o"), ...FILES.slice(2)] },
		],
		["variant twice", "BUNDLE_MANIFEST_INVALID", { "/variants/1": VARIANT }],
		["impossible kernel range", "BUNDLE_KERNEL_RANGE_INVALID", { "/variants/0/requires/kernel": ">=6 <5" }],
		[
			"features out of order",
			"BUNDLE_MANIFEST_INVALID",
			{ "/variants/0/requires/features": VARIANT.requires.features.toReversed() },
		],
		[
			"feature that a program needs, left out",
			"BUNDLE_MANIFEST_INVALID",
			{ "/variants/0/requires/features": ["link:netns"] },
		],
		["program twice", "BUNDLE_MANIFEST_INVALID", { "/variants/0/programs/1": VARIANT.programs[0] }],
		["section without a hook", "BUNDLE_MANIFEST_INVALID", { "/variants/0/programs/0/section": "xdp" }],
		[
			"type that the section does not mean",
			"BUNDLE_MANIFEST_INVALID",
			{ "/variants/0/programs/0/type": "sched_cls" },
		],
		[
			"hook that the section does not mean",
			"BUNDLE_MANIFEST_INVALID",
			{ "/variants/0/programs/0/hook": "tc" },
		],
		["vector file left out", "BUNDLE_MANIFEST_INVALID", { "/vectors": [] }],
		["vector file that is none", "BUNDLE_MANIFEST_INVALID", { "/vectors": ["LICENSE", "vectors/a.jsonl"] }],
		["fixes out of order", "BUNDLE_MANIFEST_INVALID", { "/fixes": ["CVE-2026-2", "CVE-2026-1"] }],
		["map twice", "BUNDLE_MANIFEST_INVALID", { "/state/1": GOOD.state[0] }],
		[
			"flag that runs code",
			"BUNDLE_BUILD_FLAG",
			{ "/build/flags": [...SAMPLE_FLAGS, "-fplugin=./src/evil.so"] },
		],
		["unit of another object", "BUNDLE_MANIFEST_INVALID", { "/build/units/0/object": "obj/b.bpf.o" }],
		["unit of an untagged source", "BUNDLE_MANIFEST_INVALID", { "/build/units/0/source": "LICENSE" }],
		["unit too many", "BUNDLE_MANIFEST_INVALID", { "/build/units/1": GOOD.build.units[0] }],
		[
			"files too large together",
			"BUNDLE_TOO_LARGE",
			{ "/files": FILES.map((record) => ({ ...record, size: 16 * 1024 * 1024 })) },
		],
	])("%s", (_rule, code, change) => {
		expect(codeOf(() => parseManifest(changed(change)))).toBe(code);
	});

	it("variants with the older kernel first", () => {
		const records = [FILES[0]!, FILES[1]!, file("obj/b.bpf.o"), ...FILES.slice(2)];
		const variant = (name: string, object: string, kernel: string) => ({
			...GOOD.variants[0]!,
			name,
			object,
			requires: { kernel, features: GOOD.variants[0]!.requires.features },
		});
		const make = (kernels: readonly [string, string]): Uint8Array =>
			changed({
				"/files": records,
				"/variants": [variant("one", "obj/a.bpf.o", kernels[0]), variant("two", "obj/b.bpf.o", kernels[1])],
				"/build/units": ["obj/a.bpf.o", "obj/b.bpf.o"].map((object) => ({ source: "src/a.bpf.c", object })),
			});
		expect(parseManifest(make([">=6.1", ">=5.10"])).variants).toHaveLength(2);
		expect(refusal(() => parseManifest(make([">=5.10", ">=6.1"]))).details["path"]).toBe("/variants/1");
	});
});

describe("kfn.package.json", () => {
	const bytes = (change: object = {}) => Buffer.from(JSON.stringify({ ...samplePackage(), ...change }));
	const unit = (samplePackage() as unknown as PackageManifest).units[0]!;

	it("is read in any spelling; what is left out is empty", () => {
		const parsed = parsePackageManifest(bytes());
		expect(parsed).toMatchObject({ includes: [], config: {}, state: [], fixes: [], name: "sample" });
		expect(parsePackageManifest(Buffer.from(JSON.stringify(parsed, null, "\t")))).toEqual(parsed);
	});

	it.each([
		["unknown field", "BUNDLE_PACKAGE_INVALID", { sumary: "typo" }],
		["unknown field of a unit", "BUNDLE_PACKAGE_INVALID", { units: [{ ...unit, flags: [] }] }],
		["another schema", "BUNDLE_PACKAGE_INVALID", { schema: "kfn.bundle/1" }],
		["no units", "BUNDLE_PACKAGE_INVALID", { units: [] }],
		["unit twice", "BUNDLE_PACKAGE_INVALID", { units: [unit, unit] }],
		["absolute include folder", "BUNDLE_PACKAGE_INVALID", { includes: ["/usr/include"] }],
		["source outside the package", "BUNDLE_PATH_ESCAPE", { units: [{ ...unit, source: "../evil.bpf.c" }] }],
		["source that is not C", "BUNDLE_PACKAGE_INVALID", { units: [{ ...unit, source: "src/a.h" }] }],
		["object in a wrong place", "BUNDLE_PATH_INVALID", { units: [{ ...unit, object: "out/a.o" }] }],
		["bad version", "BUNDLE_VERSION_INVALID", { version: "v1.0.0" }],
		[
			"bad kernel range",
			"BUNDLE_KERNEL_RANGE_INVALID",
			{ units: [{ ...unit, requires: { kernel: "5.10", features: [] } }] },
		],
		["bad licence", "BUNDLE_LICENCE_MISMATCH", { license: "MIT" }],
	])("%s", (_what, code, change) => {
		expect(codeOf(() => parsePackageManifest(bytes(change)))).toBe(code);
	});

	it("file that is not JSON", () => {
		expect(codeOf(() => parsePackageManifest(Buffer.from("{")))).toBe("BUNDLE_PACKAGE_INVALID");
	});
});
