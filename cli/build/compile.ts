// Runs the compiler that turns restricted C into a BPF object. Refuses another compiler than the one asked for, and
// any output on success: a warning is an error.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CliError } from "../errors.ts";

const run = promisify(execFile);
const OUTPUT_LIMIT = 4 * 1024 * 1024;
const COMPILE_MS = 60_000;
/** No CPATH, no CCC_OVERRIDE_OPTIONS, and none of the publisher's secrets. */
const ENVIRONMENT = { PATH: process.env["PATH"], LC_ALL: "C" };

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

async function askVersion(path: string): Promise<string | undefined> {
	try {
		const { stdout } = await run(path, ["--version"], { maxBuffer: OUTPUT_LIMIT });
		return /clang version (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
	} catch {
		return undefined;
	}
}

/** Finds clang; with `version` only exactly that one, as a rebuild needs it. */
export async function findCompiler(version?: string): Promise<Compiler> {
	const major = version?.split(".")[0];
	const names = major === undefined ? CANDIDATES : [`clang-${major}`, "clang"];
	for (const path of names) {
		const found = await askVersion(path);
		if (found !== undefined && (version === undefined || found === version)) {
			return { path, name: "clang", version: found };
		}
	}
	throw new CliError(
		"CLI_COMPILER_MISSING",
		`no clang${version === undefined ? "" : ` ${version}`} on the PATH`,
		{
			hint: `apt-get install clang-${major ?? "19"}`,
		},
	);
}

async function clang(compiler: Compiler, args: string[], cwd: string): Promise<string> {
	try {
		const { stdout } = await run(compiler.path, args, {
			cwd,
			maxBuffer: OUTPUT_LIMIT,
			env: ENVIRONMENT,
			timeout: COMPILE_MS,
			killSignal: "SIGKILL",
		});
		return stdout;
	} catch (cause) {
		const stderr = String((cause as { stderr?: string }).stderr ?? "");
		const first = stderr.split("\n").find((line) => line.includes("error:")) ?? stderr.split("\n")[0] ?? "";
		throw new CliError("CLI_COMPILE_FAILED", first === "" ? "the compiler failed" : first, {
			hint: "--json shows all that the compiler said",
			details: { output: stderr.slice(0, 64 * 1024), command: [compiler.path, ...args] },
			cause,
		});
	}
}

/** Compiles `source` to `object`, both relative to `cwd`, with exactly `flags`. */
export async function compile(
	compiler: Compiler,
	flags: readonly string[],
	unit: { source: string; object: string },
	cwd: string,
): Promise<void> {
	await clang(compiler, [...flags, "-c", unit.source, "-o", unit.object], cwd);
}

/** The files that `source` includes, as the compiler resolves them (make rule of -M, system headers included), relative to `cwd`. */
export async function includedFiles(
	compiler: Compiler,
	flags: readonly string[],
	source: string,
	includes: readonly string[],
	cwd: string,
): Promise<string[]> {
	const rule = await clang(
		compiler,
		[...flags, ...includes.flatMap((dir) => ["-I", dir]), "-M", source],
		cwd,
	);
	const files = rule.slice(rule.indexOf(":") + 1).replaceAll("\\\n", " ");
	return files.split(/\s+/).filter((file) => file !== "" && file !== source);
}
