// Compiles a BPF C file of the tests with clang-19. Refuses to keep the object: it lives in a temporary folder until the process ends.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { registerUndo } from "./cleanup.ts";
import { run } from "./command.ts";
import { requireTools } from "./feature.ts";

const MULTIARCH: Readonly<Record<string, string>> = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };

const compiled = new Map<string, Promise<string>>();

/** Path of the compiled object of a `.bpf.c` file; compiled once per process. */
export function bpfObject(source: string): Promise<string> {
	const known = compiled.get(source);
	if (known !== undefined) return known;
	const object = compile(source);
	compiled.set(source, object);
	return object;
}

async function compile(source: string): Promise<string> {
	requireTools("clang-19");
	const folder = mkdtempSync(join(tmpdir(), `kfn-object-${process.pid}-`));
	registerUndo(`object ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	const object = join(folder, basename(source).replace(/\.c$/, ".o"));
	// Debian keeps <asm/types.h>, which <linux/bpf.h> wants, in the multiarch folder; -target bpf does not look there.
	const include = `/usr/include/${MULTIARCH[process.arch] ?? process.arch}`;
	await run("clang-19", [
		"-O2",
		"-g",
		"-Wall",
		"-Werror",
		"-target",
		"bpf",
		"-I",
		include,
		"-c",
		source,
		"-o",
		object,
	]);
	return object;
}
