// Turns checked sources into BPF objects. Refuses sources that could let in what the tag does not cover, in two ways that
// do not rely on each other: rules on what they may hold, and a jail that has nothing else to read.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CliError } from "../errors.ts";
import { checkCompiledText, checkFilesRead } from "./compiled-text.ts";
import { findProgram, openWorkplace, type Workplace } from "./jail.ts";
import { reachedSources, type Sources } from "./tagged-set.ts";

/** The flags of every build. No -D, no -I: what decides the behaviour stands in the tagged files alone. */
export const FLAGS: readonly string[] = [
	"-target",
	"bpf",
	"-mcpu=v3",
	"-O2",
	"-g",
	"-nostdinc",
	"-fno-ident",
	"-fdebug-compilation-dir=.",
	"-Wall",
	"-Wextra",
	"-Werror",
];

export interface Compiler {
	readonly path: string;
	readonly name: "clang";
	/** As it says of itself: "19.1.7". */
	readonly version: string;
}

const CANDIDATES = ["clang-19", "clang", "clang-20", "clang-18"];

async function askCompiler(name: string): Promise<Compiler | undefined> {
	try {
		const path = await findProgram(name);
		const { stdout } = await promisify(execFile)(path, ["--version"]);
		const version = /clang version (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
		return version === undefined ? undefined : { path, name: "clang", version };
	} catch {
		return undefined;
	}
}

/** Finds clang; with `version` only exactly that one, as a rebuild needs it. */
export async function findCompiler(version?: string): Promise<Compiler> {
	const major = version?.split(".")[0];
	const names = major === undefined ? CANDIDATES : [`clang-${major}`, "clang"];
	for (const name of names) {
		const found = await askCompiler(name);
		if (found !== undefined && (version === undefined || found.version === version)) return found;
	}
	throw new CliError(
		"CLI_COMPILER_MISSING",
		`no clang${version === undefined ? "" : ` ${version}`} on the PATH`,
		{
			hint: `apt-get install clang-${major ?? "19"}`,
		},
	);
}

export interface Compilation {
	/** By the unit's path of the object. */
	readonly objects: ReadonlyMap<string, Uint8Array>;
	/** Why the compiler was not locked in; undefined where it was. */
	readonly unjailed: string | undefined;
}

/**
 * Checks and compiles each unit with exactly `flags`; nothing but the sources that the units reach is laid out. Without a
 * jail the rules on sources hold alone, unless `demand` is "jail". CLI_SOURCE_*, CLI_COMPILE_FAILED, CLI_JAIL_UNAVAILABLE.
 */
export async function compileUnits(
	compiler: Compiler,
	flags: readonly string[],
	units: readonly { readonly source: string; readonly object: string }[],
	sources: Sources,
	demand: "jail" | "rules",
): Promise<Compilation> {
	const reached = await reachedSources(units, async (path) => sources.get(path));
	const tagged = new Set(reached.keys());
	await using workplace = await openWorkplace(compiler.path, reached, demand);
	const objects = new Map<string, Uint8Array>();
	for (const { source, object } of units) {
		checkFilesRead(String(await clang(workplace, [...flags, "-M", source])), tagged);
		checkCompiledText(source, await clang(workplace, [...flags, "-E", source]), tagged);
		objects.set(object, await compile(workplace, flags, source));
	}
	return { objects, unjailed: workplace.unjailed };
}

/** The object of one source, unchecked: whoever calls this relies on the jail alone. */
export async function compile(
	workplace: Workplace,
	flags: readonly string[],
	source: string,
): Promise<Uint8Array> {
	// Through stdout, so that no folder has to be writable for the compiler.
	return clang(workplace, [...flags, "-c", source, "-o", "-"]);
}

async function clang(workplace: Workplace, args: readonly string[]): Promise<Buffer> {
	const { ok, stdout, stderr } = await workplace.run(args);
	if (ok) return stdout;
	const first = stderr.split("\n").find((line) => line.includes("error:")) ?? stderr.split("\n")[0] ?? "";
	throw new CliError("CLI_COMPILE_FAILED", first === "" ? "the compiler failed" : first, {
		hint: "--json shows all that the compiler said",
		details: { output: stderr.slice(0, 64 * 1024), command: ["clang", ...args] },
	});
}
