// Reads the worked examples out of docs/formats and holds the code to them, and them to the code.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { checkBuildFlags } from "./build-flags.ts";
import { configDigest } from "./config.ts";
import { sha256 } from "./digest.ts";
import { readElf } from "./elf.ts";
import { LIMITS } from "./limits.ts";
import { parseManifest } from "./manifest.ts";
import { encodeNoteSection, formatNote, readNoteSection } from "./note.ts";
import { programKind } from "./program-type.ts";
import { tagLines, tagOf } from "./tag.ts";
import { codeOf } from "./testing/refusal.ts";
import { clangVersion, SAMPLE_FLAGS, sampleBundle } from "./testing/sample.ts";
import { encodeHeader } from "./ustar.ts";
import { parseVectors } from "./vectors.ts";

const FORMATS = new URL("../docs/formats/", import.meta.url);
const read = (path: string): Buffer => readFileSync(new URL(path, FORMATS));
const doc = (name: string): string => read(name).toString("utf8");

/** The only code block of a language in a document, without the fences. */
function block(name: string, language: string): string {
	const blocks = [...doc(name).matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))];
	expect(blocks.map((match) => match[0])).toHaveLength(1);
	return blocks[0]![1]!;
}

/** The cells of the table that begins with this header row. */
function table(name: string, header: string): string[][] {
	const lines = doc(name).split("\n");
	const start = lines.indexOf(header);
	expect(start).toBeGreaterThan(0);
	const rows = lines.slice(start + 2);
	return rows
		.slice(
			0,
			rows.findIndex((line) => !line.startsWith("|")),
		)
		.map((line) =>
			line
				.split("|")
				.slice(1, -1)
				.map((cell) => cell.trim()),
		);
}

const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

describe("tag.md", () => {
	const folder = fileURLToPath(new URL("examples/tag/", FORMATS));
	const paths = doc("examples/tag/files").trimEnd().split("\n");
	const files = paths.map((path) => ({ path, sha256: sha256(read(`examples/tag/${path}`)) }));

	it("shows lines and tag as the code makes them", () => {
		expect(tagLines(files)).toBe(block("tag.md", "lines"));
		expect(`${tagOf(files)}\n`).toBe(block("tag.md", "tag"));
	});

	it("shows a command of coreutils that gives the same tag", () => {
		const command = block("tag.md", "sh").trim();
		expect(command).toBe("sha256sum $(LC_ALL=C sort files) | sha256sum");
		const printed = execFileSync("sh", ["-c", command], { cwd: folder, encoding: "utf8" });
		expect(`kfn1:${printed}`).toBe(`${tagOf(files)}  -\n`);
	});

	it("lists every file of the example, and not in order", () => {
		const present = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
			entry.isFile(),
		);
		expect(present).toHaveLength(paths.length + 1);
		expect(paths).not.toEqual(paths.toSorted());
	});

	it("coreutils give the tag of a really built bundle, too", () => {
		const sample = sampleBundle();
		const cwd = fileURLToPath(new URL("examples/package/", FORMATS));
		const command = "sha256sum $(printf '%s\\n' $FILES | LC_ALL=C sort) | sha256sum";
		const env = { ...process.env, FILES: sample.manifest.tag.files.join(" ") };
		const printed = execFileSync("sh", ["-c", command], { cwd, env, encoding: "utf8" });
		expect(`kfn1:${printed}`).toBe(`${sample.manifest.tag.value}  -\n`);
	});
});

describe("elf-note.md", () => {
	const text = block("elf-note.md", "text");
	const bytes = Buffer.from(block("elf-note.md", "hex").replace(/\s/g, ""), "hex");

	it("shows text and bytes of one note", () => {
		expect(readNoteSection(bytes)).toBe(text);
		expect(Buffer.from(encodeNoteSection(text))).toEqual(bytes);
	});

	it("shows the note that clang puts into the example, and what its manifest says", () => {
		const { files, manifest } = sampleBundle();
		const section = readElf(files.get("obj/sample.bpf.o")!).sections.find((s) => s.name === ".note.kfn");
		expect(section?.bytes).toEqual(bytes);
		expect(formatNote(manifest.function, manifest.variants[0]!.requires)).toBe(text);
	});
});

describe("vectors.md", () => {
	it("shows line 1 of the example, and its keys as struct bpf_flow_keys has them", () => {
		const line = block("vectors.md", "jsonl");
		expect(doc("examples/package/vectors/basic.jsonl").startsWith(line)).toBe(true);
		const [vector] = parseVectors(Buffer.from(line));
		const out = Buffer.from(vector!.out!);
		expect([out.length, out.readUInt16LE(0), out.readUInt16LE(2), out.readUInt16BE(10)]).toEqual([
			56, 14, 14, 0x0800,
		]);
	});
});

describe("bundle.md", () => {
	it("shows the fixed fields of a tar header, and the rest of it is NUL", () => {
		const block = encodeHeader({ path: "a", size: 0 });
		const left = Buffer.from(block);
		for (const [field, offset, cell] of table("bundle.md", "| field | offset | bytes |")) {
			const bytes = quoted(cell!)[0]!.replaceAll("\\0", "\0");
			expect([field, block.toString("latin1", Number(offset), Number(offset) + bytes.length)]).toEqual([
				field,
				bytes,
			]);
			left.fill(0, Number(offset), Number(offset) + bytes.length);
		}
		left.fill(0, 0, 1).fill(0, 124, 136).fill(0, 148, 156);
		expect(left.every((byte) => byte === 0)).toBe(true);
	});

	it("lists every limit with its value", () => {
		const rows = table("bundle.md", "| limit | value | error |");
		expect(Object.fromEntries(rows.map(([name, value]) => [name!.split(" ")[0], Number(value)]))).toEqual(
			LIMITS,
		);
	});

	it("lists what sections mean", () => {
		for (const row of table("bundle.md", "| section | type | hook | features that it needs |")) {
			const [[section], [type], [hook], features] = row.map(quoted) as [
				string[],
				string[],
				string[],
				string[],
			];
			expect(programKind(section!)).toEqual({ type, hook, features });
		}
	});

	it("shows digests of configs", () => {
		for (const [config, digest] of table("bundle.md", "| effective config | digest |")) {
			expect(configDigest(JSON.parse(quoted(config!)[0]!))).toBe(quoted(digest!)[0]);
		}
	});

	it("lists flags as the code judges them", () => {
		const needed = ["-target", "bpf", "-nostdinc"];
		for (const [flags, allowed] of table("bundle.md", "| flag | allowed |")) {
			for (const flag of quoted(flags!).filter((text) => text.startsWith("-") || text.startsWith("@"))) {
				const act = (): void => checkBuildFlags([...needed, ...flag.split(" ")]);
				if (allowed === "yes") expect(act, flag).not.toThrow();
				else expect([flag, codeOf(act)]).toEqual([flag, "BUNDLE_BUILD_FLAG"]);
			}
		}
		expect(() => checkBuildFlags(SAMPLE_FLAGS)).not.toThrow();
	});

	it("links a manifest that parses, names the example's files, and carries their tag", () => {
		const manifest = parseManifest(read("examples/kfn.json"));
		for (const file of manifest.files.filter((record) => !record.path.startsWith("obj/"))) {
			const bytes = read(`examples/package/${file.path}`);
			expect([file.path, bytes.length, sha256(bytes)]).toEqual([file.path, file.size, file.sha256]);
		}
	});

	it("links the manifest that building the example gives, byte for byte with the same clang", () => {
		const shown = parseManifest(read("examples/kfn.json"));
		const built = sampleBundle();
		if (clangVersion() === shown.build.version) {
			expect(Buffer.from(built.manifestBytes).toString()).toBe(doc("examples/kfn.json"));
		}
		expect(built.manifest.tag).toEqual(shown.tag);
		expect(built.manifest.variants.map((v) => v.requires)).toEqual(shown.variants.map((v) => v.requires));
	});
});
