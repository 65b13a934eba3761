// Compiles packages/tso for BPF and the tools that try it, into a folder the caller gives. Refuses to write anywhere else.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BPF_FLAGS } from "../dissector/build.ts";
import { run } from "../harness/command.ts";

export const packageFolder = fileURLToPath(new URL("../../packages/tso", import.meta.url));
const includes = fileURLToPath(new URL("../../packages/_include", import.meta.url));
const native = fileURLToPath(new URL("./native", import.meta.url));

const TOOLS: Readonly<Record<ToolName, readonly string[]>> = {
	ecn_watch: ["ecn_watch.c"],
	differential: ["differential.c", "attach.c", "superpackets.c"],
	fragment: ["fragment.c"],
	hold: ["hold.c", "attach.c"],
	inject: ["inject.c"],
	stream: ["stream.c"],
};

export type ToolName = "differential" | "ecn_watch" | "fragment" | "hold" | "inject" | "stream";

/** Paths of the tools, of the object, and of what ecn_watch attaches. */
export type Tools = Readonly<Record<ToolName | "object" | "watch", string>>;

/** Compiles everything; `how` "static" is for a VM without libraries. */
export async function buildTools(folder: string, how: "static" | "shared" = "shared"): Promise<Tools> {
	const object = join(folder, "tso.bpf.o");
	await run("clang-19", [...BPF_FLAGS, "-I", includes, "-c", "src/tso.bpf.c", "-o", object], {
		cwd: packageFolder,
	});
	const watch = join(folder, "ecn_watch.bpf.o");
	await run("clang-19", [...BPF_FLAGS, "-I", includes, "-c", join(native, "ecn_watch.bpf.c"), "-o", watch]);
	const built = await Promise.all(
		Object.entries(TOOLS).map(async ([name, sources]) => {
			const output = join(folder, name);
			await compileTool(sources, output, how);
			return [name, output] as const;
		}),
	);
	return { ...Object.fromEntries(built), object, watch } as Tools;
}

async function compileTool(
	sources: readonly string[],
	output: string,
	how: "static" | "shared",
): Promise<void> {
	const flags = ["-O2", "-Wall", "-Wextra", "-Werror", ...(how === "static" ? ["-static"] : [])];
	const { stdout } = await run("pkg-config", [...(how === "static" ? ["--static"] : []), "--libs", "libbpf"]);
	const files = sources.map((source) => join(native, source));
	await run("gcc", [...flags, ...files, "-o", output, ...stdout.trim().split(/\s+/)]);
}

/** ASan and UBSan; packet headers lie at any address, so alignment is the one thing not checked (BPF loads are unaligned). */
const HOST_FLAGS = [
	// #pragma unroll is clang's.
	...["-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"],
	...["-fsanitize=address,undefined", "-fno-sanitize=alignment", "-fno-sanitize-recover=all"],
] as const;

/** Compiles the program's own C with sanitizers, behind helpers of the host's (native/host.c). */
export async function buildNative(output: string): Promise<void> {
	const shim = ["-I", includes, "-include", join(native, "sched_cls.h")];
	const sources = ["-x", "c", join(native, "host.c"), join(packageFolder, "src/tso.bpf.c")];
	await run("gcc", [...HOST_FLAGS, ...shim, ...sources, "-o", output]);
}
