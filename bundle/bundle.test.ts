// Whole bundles: assembled from really compiled objects, then tampered with one lie at a time.
import { describe, expect, it } from "vitest";
import { packArchive } from "./archive.ts";
import { assembleBundle, openBundle, openContents, writeBundle } from "./bundle.ts";
import { sha256 } from "./digest.ts";
import { readElf } from "./elf.ts";
import { type Manifest, serializeManifest } from "./manifest.ts";
import { tagOf } from "./tag.ts";
import { codeOf, refusal, refusalOf } from "./testing/refusal.ts";
import { compileObject, NO_SIGNATURES, sampleBundle, sampleInput } from "./testing/sample.ts";

const sample = sampleBundle();

/** A bundle around other files, with a manifest that is honest about their digests and changed as asked. */
function forge(
	files: Readonly<Record<string, Uint8Array | undefined>>,
	change: (m: Manifest) => object = () => ({}),
): Parameters<typeof openContents>[0] {
	const all = new Map<string, Uint8Array>(sample.files);
	for (const [path, bytes] of Object.entries(files)) {
		if (bytes === undefined) all.delete(path);
		else all.set(path, bytes);
	}
	const records = [...all]
		.map(([path, bytes]) => ({ path, size: bytes.length, sha256: sha256(bytes) }))
		.sort((a, b) => (a.path < b.path ? -1 : 1));
	const sources = records.filter((record) => record.path.startsWith("src/"));
	const honest = {
		...sample.manifest,
		files: records,
		tag: { value: tagOf(sources), files: sources.map((record) => record.path) },
	};
	const manifestBytes = serializeManifest({ ...honest, ...change(honest) });
	return [
		{ path: "kfn.json", bytes: manifestBytes },
		{ path: "kfn.sig.json", bytes: NO_SIGNATURES },
		...[...all].map(([path, bytes]) => ({ path, bytes })),
	];
}

const withProgram = (m: Manifest, change: object): object => ({
	variants: m.variants.map((v) => ({ ...v, programs: v.programs.map((p) => ({ ...p, ...change })) })),
});

describe("a good bundle", () => {
	it("opens to what was assembled", async () => {
		const bundle = await openBundle(sample.archive);
		expect(bundle.manifest).toEqual(sample.manifest);
		expect(bundle.manifestDigest).toBe(sha256(sample.manifestBytes));
		expect(bundle.sha256).toBe(sha256(sample.archive));
		expect([...bundle.files.keys()]).toEqual(bundle.manifest.files.map((file) => file.path));
		expect(Buffer.from(bundle.signatureBytes)).toEqual(NO_SIGNATURES);
		expect(bundle.vectors.map((vector) => vector.name)).toEqual(["ethernet-only"]);
	});

	it("is the same bytes however often and in whatever order it is made", () => {
		const input = sampleInput();
		const shuffled = { ...input, files: new Map([...input.files].reverse()) };
		const again = assembleBundle(shuffled);
		expect(again.manifestBytes).toEqual(sample.manifestBytes);
		expect(writeBundle(again.manifestBytes, NO_SIGNATURES, shuffled.files)).toEqual(sample.archive);
	});

	it("may carry signatures for the kernel, which change neither manifest nor tag", async () => {
		const { manifestBytes, files } = sample;
		const bytes = Buffer.from("unparsed");
		const bundle = await openBundle(writeBundle(manifestBytes, NO_SIGNATURES, files, bytes));
		expect(Buffer.from(bundle.kernelSignatureBytes!)).toEqual(bytes);
		expect(bundle.manifestDigest).toBe(sha256(manifestBytes));
		expect([...bundle.files.keys()]).not.toContain("kfn.kernel-sig.json");
		expect((await openBundle(sample.archive)).kernelSignatureBytes).toBeUndefined();
		const tooLarge = Buffer.alloc(32 * 1024 + 1);
		expect(codeOf(() => writeBundle(manifestBytes, NO_SIGNATURES, files, tooLarge))).toBe("BUNDLE_TOO_LARGE");
	});

	it("carries the digest of the program's instructions", () => {
		const program = sample.manifest.variants[0]!.programs[0]!;
		const elf = readElf(sample.files.get("obj/sample.bpf.o")!);
		expect(program.insnsDigest).toBe(sha256(elf.programs[0]!.insns));
		expect(program.insns * 8).toBe(elf.programs[0]!.insns.length);
	});
});

describe("what the archive holds and the manifest says", () => {
	it("unnamed entry", async () => {
		const entries = [...forge({}), { path: "src/extra.h", bytes: Buffer.from("x") }];
		const error = await refusalOf(openBundle(packArchive(entries)));
		expect([error.code, error.details["path"], error.exit]).toEqual([
			"BUNDLE_UNNAMED_ENTRY",
			"src/extra.h",
			3,
		]);
	});

	it.each(["kfn.json", "kfn.sig.json", "README.md"])("missing %s", async (path) => {
		const entries = [...forge({})].filter((entry) => entry.path !== path);
		const error = await refusalOf(openBundle(packArchive(entries)));
		expect([error.code, error.details["path"]]).toEqual(["BUNDLE_MISSING_ENTRY", path]);
	});

	it("entry twice in an unpacked bundle", () => {
		const entries = [...forge({})];
		expect(codeOf(() => openContents([...entries, entries[3]!]))).toBe("BUNDLE_DUPLICATE_ENTRY");
	});

	it.each(["same size", "other size"])("file swapped for one of %s", (kind) => {
		const entries = [...forge({})].map((entry) => {
			if (entry.path !== "README.md") return entry;
			return { path: entry.path, bytes: Buffer.from(kind === "same size" ? "# samplE\n" : "# x\n") };
		});
		const error = refusal(() => openContents(entries));
		expect([error.code, error.details["path"]]).toEqual(["BUNDLE_FILE_DIGEST", "README.md"]);
	});

	it("source changed under an old tag", () => {
		const old = sample.manifest.tag.value;
		const entries = forge({ "src/kfn/sample.h": Buffer.from("/* evil */\n") }, (m) => ({
			tag: { ...m.tag, value: old },
		}));
		expect(codeOf(() => openContents(entries))).toBe("BUNDLE_TAG_MISMATCH");
	});

	it("signature file too large", () => {
		const entries = [...forge({})].map((entry) =>
			entry.path === "kfn.sig.json" ? { path: entry.path, bytes: Buffer.alloc(32 * 1024 + 1) } : entry,
		);
		expect(codeOf(() => openContents(entries))).toBe("BUNDLE_TOO_LARGE");
	});
});

describe("what the object says and the manifest says", () => {
	it.each([
		["another program name", { name: "other" }, "name"],
		["another instruction count", { insns: 6 }, "insns"],
		["another instruction digest", { insnsDigest: "0".repeat(64) }, "insnsDigest"],
		["a digest held back", { insnsDigest: null }, "insnsDigest"],
	])("%s", (_lie, change, field) => {
		const vectors = { "vectors/basic.jsonl": undefined };
		const error = refusal(() =>
			openContents(forge(vectors, (m) => ({ ...withProgram(m, change), vectors: [] }))),
		);
		expect([error.code, error.details["field"]]).toEqual(["BUNDLE_ELF_MISMATCH", field]);
	});

	it("another object with the same program names", () => {
		const evil = compileObject(sampleSource().replace("return 0", "return 2"));
		const error = refusal(() => openContents(forge({ "obj/sample.bpf.o": evil })));
		expect([error.code, error.details["field"]]).toEqual(["BUNDLE_ELF_MISMATCH", "insnsDigest"]);
	});

	it("a second program that the manifest hides", () => {
		const more = `${sampleSource()}\nSEC("flow_dissector") int hidden(struct context *ctx) { return 2; }\n`;
		const error = refusal(() => openContents(forge({ "obj/sample.bpf.o": compileObject(more) })));
		expect(error.message).toContain("2 programs");
	});

	it.each([
		["function", "function=flow-dissector", "function=gro"],
		["abi", "abi=1", "abi=2"],
		["kernel", "kernel=>=5.10", "kernel=>=4.19"],
		["feature", String.raw`feature=link:netns\\n`, ""],
	])("note with another %s", (_what, from, to) => {
		const object = compileObject(sampleSource().replace(from, to));
		const error = refusal(() => openContents(forge({ "obj/sample.bpf.o": object })));
		expect([error.code, error.details["field"]]).toEqual(["BUNDLE_ELF_MISMATCH", "note"]);
	});

	it("object without a note", () => {
		const object = compileObject(sampleSource().replace(/^NOTE[^;]*;/m, ""));
		expect(refusal(() => openContents(forge({ "obj/sample.bpf.o": object }))).message).toContain(
			"no .note.kfn",
		);
	});

	it.each(["GPL-3.0", "Dual MIT/GPL", "Proprietary"])("object with license %s", (license) => {
		const object = compileObject(sampleSource().replace("Dual BSD/GPL", license));
		expect(codeOf(() => openContents(forge({ "obj/sample.bpf.o": object })))).toBe("BUNDLE_LICENCE_MISMATCH");
	});

	it("object that is no ELF file names itself in the refusal", () => {
		const error = refusal(() => openContents(forge({ "obj/sample.bpf.o": Buffer.from("#!/bin/sh\n") })));
		expect([error.code, error.details["object"]]).toEqual(["BUNDLE_ELF_INVALID", "obj/sample.bpf.o"]);
	});

	it("state that names a map which is not there", () => {
		const entries = forge({}, () => ({ state: [{ map: "flows", migrate: "keep" }] }));
		expect(refusal(() => openContents(entries)).message).toContain('no map "flows"');
	});
});

describe("vectors of a bundle", () => {
	const line = (change: object): Uint8Array => {
		const good = JSON.parse(Buffer.from(sample.files.get("vectors/basic.jsonl")!).toString());
		return Buffer.from(`${JSON.stringify({ ...good, ...change })}\n`);
	};

	it.each([
		["for a program that is not there", { program: "other" }],
		["with half of struct bpf_flow_keys", { out: "00".repeat(28) }],
	])("vector %s", (_what, change) => {
		const entries = forge({ "vectors/basic.jsonl": line(change) });
		expect(codeOf(() => openContents(entries))).toBe("BUNDLE_VECTORS_INVALID");
	});

	it("name used in two files", () => {
		const entries = forge({ "vectors/more.jsonl": line({}) }, () => ({
			vectors: ["vectors/basic.jsonl", "vectors/more.jsonl"],
		}));
		expect(codeOf(() => openContents(entries))).toBe("BUNDLE_VECTORS_INVALID");
	});
});

describe("assembling", () => {
	it("refuses a section that kfn has no hook for", () => {
		const act = (): unknown =>
			sampleBundle({ source: (text) => text.replace('SEC("flow_dissector")', 'SEC("xdp")') });
		expect(refusal(act).message).toContain('no hook for the section "xdp"');
	});

	it("refuses files outside the places of a bundle", () => {
		expect(codeOf(() => sampleBundle({ files: { "install.sh": "rm -rf /\n" } }))).toBe("BUNDLE_PATH_INVALID");
	});

	it("refuses a unit whose object is not there", () => {
		const input = sampleInput();
		input.files.delete("obj/sample.bpf.o");
		expect(codeOf(() => assembleBundle(input))).toBe("BUNDLE_MISSING_ENTRY");
	});

	it("refuses to write a signature around another manifest's files", () => {
		const files = new Map(sample.files).set("README.md", Buffer.from("other\n"));
		expect(codeOf(() => writeBundle(sample.manifestBytes, NO_SIGNATURES, files))).toBe("BUNDLE_FILE_DIGEST");
	});
});

function sampleSource(): string {
	return Buffer.from(sample.files.get("src/sample.bpf.c")!).toString();
}
