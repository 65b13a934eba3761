// Compiles packages/gro-live for BPF and the tools that try it in a VM, into a folder the caller gives. Refuses to write anywhere else.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BPF_FLAGS } from "../dissector/build.ts";
import { run } from "../harness/command.ts";

const includes = fileURLToPath(new URL("../../packages/_include", import.meta.url));
const packageFolder = fileURLToPath(new URL("../../packages/gro-live", import.meta.url));
const harness = fileURLToPath(new URL("../harness", import.meta.url));
const native = fileURLToPath(new URL("native", import.meta.url));

/** Compiles the program to `output`. */
export async function buildObject(output: string): Promise<void> {
	await compile(packageFolder, "src/gro_live.bpf.c", output);
}

/** Compiles the program that drops packets to `output`. */
export async function buildDropper(output: string): Promise<void> {
	await compile(native, "drop.bpf.c", output);
}

const LIBRARIES = { hold: "libbpf", talk: "libsodium", features: undefined } as const;

/** Compiles a tool for a VM without libraries; `features` is what other tests use, too. */
export async function buildTool(name: keyof typeof LIBRARIES, output: string): Promise<void> {
	const library = LIBRARIES[name];
	const { stdout } = library ? await run("pkg-config", ["--static", "--libs", library]) : { stdout: "" };
	const source = library ? join(native, `${name}.c`) : join(harness, `${name}.c`);
	const flags = ["-static", "-pthread", "-O2", "-Wall", "-Wextra", "-Werror"];
	await run("gcc", [...flags, source, "-o", output, ...stdout.trim().split(/\s+/).filter(Boolean)]);
}

async function compile(cwd: string, source: string, output: string): Promise<void> {
	await run("clang-19", [...BPF_FLAGS, "-I", includes, "-c", source, "-o", output], { cwd });
}
