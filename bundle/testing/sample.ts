// For tests only: the example package of docs/formats as a real bundle, compiled by clang at test time. Product code never imports it.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type AssembledBundle, assembleBundle, writeBundle } from "../bundle.ts";
import { type PackageManifest, parsePackageManifest } from "../package-manifest.ts";

export const SAMPLE_FLAGS = [
	"-target",
	"bpf",
	"-mcpu=v3",
	"-O2",
	"-g",
	"-nostdinc",
	"-fdebug-compilation-dir=.",
];
export const NO_SIGNATURES = Buffer.from("{}\n");

const HEADER = "src/kfn/sample.h";
const SOURCE = "src/sample.bpf.c";
const DOCUMENTS = ["LICENSE", "README.md", "vectors/basic.jsonl"];

/** The package that docs/formats explains. */
const EXAMPLE = new URL("../../docs/formats/examples/package/", import.meta.url);
const example = (path: string): string => readFileSync(new URL(path, EXAMPLE), "utf8");

/** The example's kfn.package.json, parsed as JSON only. */
export function samplePackage(): Record<string, unknown> {
	return JSON.parse(example("kfn.package.json"));
}

/** What `clang-19 --version` says, such as 19.1.7. */
export function clangVersion(): string {
	const text = execFileSync("clang-19", ["--version"], { encoding: "utf8" });
	return /version ([0-9.]+)/.exec(text)![1]!;
}

/** Compiles C text (any BPF object) with the sample's header beside it. */
export function compileObject(source: string, flags: readonly string[] = SAMPLE_FLAGS): Uint8Array {
	const folder = mkdtempSync(join(tmpdir(), "kfn-sample-"));
	try {
		for (const [path, text] of Object.entries({ [HEADER]: example(HEADER), [SOURCE]: source })) {
			mkdirSync(dirname(join(folder, path)), { recursive: true });
			writeFileSync(join(folder, path), text);
		}
		const command = [...flags, "-c", SOURCE, "-o", "sample.o"];
		execFileSync("clang-19", command, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
		return readFileSync(join(folder, "sample.o"));
	} finally {
		rmSync(folder, { recursive: true });
	}
}

export interface SampleChanges {
	/** Fields laid over kfn.package.json. */
	readonly package?: Readonly<Record<string, unknown>>;
	/** Replaces a text in the C source, such as the note or the license. */
	readonly source?: (text: string) => string;
	readonly files?: Readonly<Record<string, string>>;
}

/** The package, staged files and compiler record of the sample, as `assembleBundle` takes them. */
export function sampleInput(changes: SampleChanges = {}): {
	package: PackageManifest;
	files: Map<string, Uint8Array>;
	compiler: { name: "clang"; version: string; flags: readonly string[] };
} {
	const source = (changes.source ?? ((text) => text))(example(SOURCE));
	const texts = {
		...Object.fromEntries([...DOCUMENTS, HEADER].map((path) => [path, example(path)])),
		[SOURCE]: source,
		...changes.files,
	};
	const files = new Map<string, Uint8Array>(
		Object.entries(texts).map(([path, text]) => [path, Buffer.from(text)]),
	);
	files.set("obj/sample.bpf.o", compileObject(source));
	const text = JSON.stringify({ ...samplePackage(), ...changes.package });
	return {
		package: parsePackageManifest(Buffer.from(text)),
		files,
		compiler: { name: "clang", version: clangVersion(), flags: SAMPLE_FLAGS },
	};
}

/** The sample, assembled and packed with an empty signature file. */
export function sampleBundle(changes: SampleChanges = {}): AssembledBundle & { archive: Uint8Array } {
	const assembled = assembleBundle(sampleInput(changes));
	return { ...assembled, archive: writeBundle(assembled.manifestBytes, NO_SIGNATURES, assembled.files) };
}
