// Compiles the flow dissector for BPF and for the host, into a folder the caller gives. Refuses to write anywhere else.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageFolder } from "./vectors.ts";

const includes = fileURLToPath(new URL("../../packages/_include", import.meta.url));
const native = fileURLToPath(new URL("./native", import.meta.url));
const SOURCE = "src/flow_dissector.bpf.c";

/** The flags that bundles record (bundle/build-flags.ts), but for -c, -o and -I. */
export const BPF_FLAGS = [
	...["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-nostdinc", "-fno-ident"],
	...["-Wall", "-Wextra", "-Werror", "-fdebug-compilation-dir=."],
] as const;

/** ASan and UBSan; packet headers lie at any address, so alignment is the one thing not checked (BPF loads are unaligned). */
const HOST_FLAGS = [
	...["-O1", "-g", "-Wall", "-Wextra", "-Werror"],
	...["-fsanitize=address,undefined", "-fno-sanitize=alignment", "-fno-sanitize-recover=all"],
] as const;

/** Compiles the BPF object of a package folder (this repository's, or a staged copy with ../_include beside it). */
export function buildObject(output: string, folder = packageFolder): void {
	execFileSync("clang-19", [...BPF_FLAGS, "-I", includes, "-c", SOURCE, "-o", output], { cwd: folder });
}

/** Compiles the same C with sanitizers into a program that reads packets from stdin (native/replay.c). */
export function buildNative(output: string, folder = packageFolder): void {
	const shim = ["-I", includes, "-include", join(native, "skb.h")];
	const sources = ["-x", "c", join(native, "replay.c"), join(native, "host.c"), join(folder, SOURCE)];
	execFileSync("gcc", [...HOST_FLAGS, ...shim, ...sources, "-o", output], { stdio: "pipe" });
}

/** Compiles the same C with sanitizers into a libFuzzer program (native/fuzz.c). */
export function buildFuzzer(output: string): void {
	const shim = ["-I", includes, "-I", native, "-include", join(native, "skb.h")];
	const sources = ["-x", "c", join(native, "fuzz.c"), join(native, "host.c"), join(packageFolder, SOURCE)];
	const flags = [...HOST_FLAGS.map((flag) => flag.replace("=address", "=fuzzer,address"))];
	execFileSync("clang-19", [...flags, ...shim, ...sources, "-o", output], { stdio: "pipe" });
}

/** Compiles the tc program that shows the kernel's flow hash. */
export function buildHashOracle(output: string): void {
	execFileSync("clang-19", [...BPF_FLAGS, "-I", includes, "-c", "hash_oracle.bpf.c", "-o", output], {
		cwd: fileURLToPath(new URL(".", import.meta.url)),
	});
}

/** Compiles the program that runs packets through this kernel (native/test_run.c). */
export function buildTestRun(output: string): void {
	const flags = ["-O1", "-g", "-Wall", "-Wextra", "-Werror"];
	execFileSync("gcc", [...flags, join(native, "test_run.c"), "-lbpf", "-o", output], { stdio: "pipe" });
}
