// The small texts: names, versions, digests, tags, paths, kernel ranges, flags, licences, config.
import { describe, expect, it } from "vitest";
import { checkBuildFlags } from "./build-flags.ts";
import { configDigest, effectiveConfig } from "./config.ts";
import { parseDigest, sha256 } from "./digest.ts";
import { BUNDLE_ERRORS, BundleError } from "./errors.ts";
import { kernelFulfils, parseKernelRange, parseKernelRelease } from "./kernel-range.ts";
import { checkLicence, checkObjectLicence } from "./licence.ts";
import { parseBundleName, parseVersion } from "./name.ts";
import { checkFolders, checkPlace } from "./path.ts";
import { plain } from "./plain.ts";
import { parseTag, tagLines, tagOf } from "./tag.ts";
import { codeOf, refusal } from "./testing/refusal.ts";
import { SAMPLE_FLAGS } from "./testing/sample.ts";

describe("names and versions", () => {
	it.each(["a", "flow-dissector", "9", "a--b", "a".repeat(64)])("%s is a name", (name) => {
		expect(parseBundleName(name)).toBe(name);
	});

	it.each(["", "-a", "a-", "A", "a_b", "a.b", "a/b", "ä", "a\n", "a".repeat(65)])(
		"%j is not a name",
		(name) => {
			const error = refusal(() => parseBundleName(name));
			expect([error.code, error.exit]).toEqual(["BUNDLE_NAME_INVALID", 2]);
		},
	);

	it.each(["0.0.1", "1.2.3", "2.0.0-rc.1", "1.0.0-0.3.7"])("%s is a version", (version) => {
		expect(parseVersion(version)).toBe(version);
	});

	it.each([
		"",
		"1",
		"1.2",
		"v1.2.3",
		"=1.2.3",
		" 1.2.3",
		"1.2.3\n",
		"01.2.3",
		"1.2.3-01",
		"1.2.3+build",
		"1.2.99999999999999999999",
		`1.2.3-${"a".repeat(60)}`,
	])("%j is not a version", (version) => {
		expect(codeOf(() => parseVersion(version))).toBe("BUNDLE_VERSION_INVALID");
	});
});

describe("digests and tags", () => {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

	it("hash as sha256 does, and views of a larger buffer too", () => {
		expect(sha256(new Uint8Array())).toBe(empty);
		expect(sha256(Buffer.from("xabcx").subarray(1, 4))).toBe(sha256(Buffer.from("abc")));
	});

	it.each(["", empty.toUpperCase(), empty.slice(1), `${empty}0`, `sha256:${empty}`, `${empty}\n`])(
		"%j is not a digest",
		(text) => {
			expect(codeOf(() => parseDigest(text))).toBe("BUNDLE_DIGEST_INVALID");
			expect(codeOf(() => parseTag(`kfn1:${text}`))).toBe("BUNDLE_TAG_INVALID");
		},
	);

	it("a tag is not a digest and a digest is not a tag", () => {
		expect(parseTag(`kfn1:${empty}`)).toBe(`kfn1:${empty}`);
		expect(codeOf(() => parseTag(empty))).toBe("BUNDLE_TAG_INVALID");
		expect(codeOf(() => parseTag(`kfn2:${empty}`))).toBe("BUNDLE_TAG_INVALID");
	});

	it("sorts paths as bytes: upper case first, and - . / before digits", () => {
		const files = ["src/a/b", "src/a.h", "src/a-b", "src/Z", "src/a0"].map((path) => ({
			path,
			sha256: parseDigest(empty),
		}));
		const order = tagLines(files)
			.split("\n")
			.slice(0, -1)
			.map((line) => line.slice(66));
		expect(order).toEqual(["src/Z", "src/a-b", "src/a.h", "src/a/b", "src/a0"]);
		expect(tagOf(files)).toBe(tagOf(files.toReversed()));
	});
});

describe("places", () => {
	it.each([
		"README.md",
		"CHANGELOG.md",
		"LICENSE",
		"src/a.c",
		"src/kfn/a.h",
		"obj/a.bpf.o",
		"vectors/a.jsonl",
	])("%s is one", (path) => {
		expect(() => checkPlace(path)).not.toThrow();
	});

	it.each([
		"kfn.json",
		"kfn.sig.json",
		"obj/a.o",
		"obj/x/a.bpf.o",
		"vectors/a.json",
		"vectors/x/a.jsonl",
		"src",
		"bin/a",
		"README.md/a",
	])("%s is none", (path) => {
		expect(codeOf(() => checkPlace(path))).toBe("BUNDLE_PATH_INVALID");
	});

	it("a file with a name that begins like a folder is fine", () => {
		expect(() => checkFolders(["src/a", "src/a.h", "src/ab/c"])).not.toThrow();
		expect(codeOf(() => checkFolders(["src/a", "src/a.h", "src/a/b"]))).toBe("BUNDLE_PATH_INVALID");
	});
});

describe("kernel ranges", () => {
	it.each([
		[">=5.10", "5.10.0", true],
		[">=5.10", "5.9.99", false],
		[">=5.10", "6.1.0-47-cloud-amd64", true],
		[">=5.10.3", "5.10", false],
		["<6.18", "6.18.0", false],
		["<6.18", "6.17.300", true],
		[">=5.10 <6.18.7", "6.18.6", true],
		[">=5.10 <6.18.7", "6.18.7", false],
		[">=5.9", "5.10-rc3", true],
		["<5.100", "5.99.1+", true],
	])("%s and %s: %s", (range, release, expected) => {
		expect(kernelFulfils(parseKernelRange(range), parseKernelRelease(release)!)).toBe(expected);
	});

	it.each([
		"",
		" ",
		"5.10",
		">5.10",
		">= 5.10",
		">=5",
		">=5.10.1.1",
		">=05.10",
		">=5.10  <6.1",
		">=5.10,<6.1",
		"<6.1 >=5.10",
		">=5.10 ",
		" <6.1",
		">=5.10<6.1",
		">=5.10 >=5.11",
		">=6.1 <6.1",
		">=6.2 <6.1",
		">=5.65536",
		">=5.10\n",
	])("%j is refused", (range) => {
		expect(codeOf(() => parseKernelRange(range))).toBe("BUNDLE_KERNEL_RANGE_INVALID");
	});

	it.each(["", "linux", "6", "6.x", "v6.1", "6.123456"])("release %j could not be told", (release) => {
		expect(parseKernelRelease(release)).toBeUndefined();
	});
});

describe("build flags", () => {
	it("those of our own build pass", () => {
		expect(() => checkBuildFlags(SAMPLE_FLAGS)).not.toThrow();
		expect(() => checkBuildFlags(["-target", "bpfel", "-mcpu=v4", "-nostdinc", "-Wextra"])).not.toThrow();
	});

	it.each([
		["a switch of the source", "-DEVIL"],
		["a switch of the source", "-UGOOD"],
		["headers outside the tag", "-I/usr/include"],
		["headers outside the tag", "-isystem/usr/include"],
		["headers outside the tag", "-include"],
		["a compiler plugin", "-fplugin=/tmp/evil.so"],
		["a compiler plugin", "-fpass-plugin=/tmp/evil.so"],
		["raw compiler options", "-Xclang"],
		["options from a file", "@/etc/passwd"],
		["another output", "-o/etc/cron.d/x"],
		["the preprocessor's options", "-Wp,-include,/etc/passwd"],
		["the linker's options", "-Wl,-T"],
		["another compiler", "-B/tmp"],
		["an input file", "/etc/passwd"],
		["an input file", "bpf"],
		["a serialised diagnostic", "--serialize-diagnostics"],
		["profile data", "-fprofile-generate"],
		["a saved crash", "-fcrash-diagnostics"],
		["the host's processor", "-mcpu=native"],
		["control characters", "-g\n"],
		["a switch of the source", "-O3"],
		["another language", "-std=c17"],
		["another language", "-trigraphs"],
		["another language", "-fms-extensions"],
		["a path in the BTF", "-ffile-prefix-map=src=/x"],
		["a path in the BTF", "-fdebug-prefix-map=src=/x"],
		["a path in the BTF", "-fdebug-compilation-dir=/x"],
		["a warning turned off", "-Wno-trigraphs"],
		["a second spelling", "--target=bpf"],
	])("%s (%s) is refused", (_what, flag) => {
		expect(codeOf(() => checkBuildFlags([...SAMPLE_FLAGS, flag]))).toBe("BUNDLE_BUILD_FLAG");
	});

	it("a missing target, its missing value, and system headers are refused", () => {
		expect(codeOf(() => checkBuildFlags(["-nostdinc"]))).toBe("BUNDLE_BUILD_FLAG");
		expect(codeOf(() => checkBuildFlags(["-target", "bpf"]))).toBe("BUNDLE_BUILD_FLAG");
		expect(codeOf(() => checkBuildFlags([...SAMPLE_FLAGS, "-target"]))).toBe("BUNDLE_BUILD_FLAG");
		expect(codeOf(() => checkBuildFlags(["-target", "-nostdinc", "-target", "bpf"]))).toBe(
			"BUNDLE_BUILD_FLAG",
		);
	});
});

describe("licences", () => {
	it("offer GPL-2.0", () => {
		for (const good of ["GPL-2.0-only", "GPL-2.0-or-later", "MIT OR GPL-2.0-only"])
			expect(() => checkLicence(good)).not.toThrow();
		for (const bad of ["MIT", "GPL-3.0-only", "LGPL-2.0-only"])
			expect(codeOf(() => checkLicence(bad))).toBe("BUNDLE_LICENCE_MISMATCH");
	});

	it.each([
		["GPL-2.0-only OR BSD-2-Clause", "Dual BSD/GPL", true],
		["GPL-2.0-only OR BSD-2-Clause", "GPL", true],
		["GPL-2.0-only", "Dual BSD/GPL", false],
		["GPL-2.0-only OR MIT", "Dual BSD/GPL", false],
		["GPL-2.0-only OR MIT", "Dual MIT/GPL", true],
		["GPL-2.0-only", "Proprietary", false],
		["GPL-2.0-only", undefined, false],
	])("%s and an object that says %s: %s", (expression, found, fits) => {
		const act = (): void => checkObjectLicence(expression, "obj/a.bpf.o", found);
		if (fits) expect(act).not.toThrow();
		else expect(codeOf(act)).toBe("BUNDLE_LICENCE_MISMATCH");
	});
});

describe("config", () => {
	const declared = {
		ports: { type: "u16-list", default: [4789], summary: "UDP ports" },
		depth: { type: "u32", default: 8, summary: "levels" },
		label: { type: "string", default: "", summary: "a label" },
	} as const;

	it("lays given values over the defaults", () => {
		expect(effectiveConfig(declared, { depth: 4 })).toEqual({ depth: 4, label: "", ports: [4789] });
	});

	it.each([
		["unknown name", { other: 1 }],
		["inherited name", { constructor: 1 }],
		["port out of range", { ports: [65536] }],
		["fraction", { depth: 1.5 }],
		["too many ports", { ports: Array.from({ length: 65 }, () => 1) }],
		["number as text", { depth: "8" }],
		["text with a terminal escape", { label: "\x1b[2J" }],
	])("%s is refused", (_what, given) => {
		expect(codeOf(() => effectiveConfig(declared, given))).toBe("BUNDLE_CONFIG_INVALID");
	});

	it("digest is that of sorted JSON without blanks", () => {
		expect(configDigest({})).toBe(sha256(Buffer.from("{}")));
		expect(configDigest({ b: 1, a: [2, 1] })).toBe(sha256(Buffer.from('{"a":[2,1],"b":1}')));
	});
});

describe("errors", () => {
	it("know their exit code; text from outside loses its control characters", () => {
		const error = new BundleError("BUNDLE_PATH_ESCAPE", "x", { hint: "y", details: { path: "z" }, cause: 1 });
		expect([error.exit, error.hint, error.details, error.cause]).toEqual([3, "y", { path: "z" }, 1]);
		expect(plain("a\x1b[31m\u202eb\n\u2028c")).toBe("a[31mbc");
		expect(plain("x".repeat(500))).toHaveLength(201);
	});

	it("stand in the table in order, each with one sentence", () => {
		const codes = Object.keys(BUNDLE_ERRORS);
		expect(codes).toEqual(codes.toSorted());
		for (const code of codes) expect(code).toMatch(/^BUNDLE_[A-Z_]+$/);
	});
});
