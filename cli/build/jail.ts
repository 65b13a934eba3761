// Where the compiler runs: in namespaces of its own, with a root folder that holds the compiler, its libraries and the
// sources, and nothing else. Refuses to run it anywhere else, unless the caller says that the rules on sources are enough.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { CliError } from "../errors.ts";
import { environment, type Finished, runToEnd } from "./run.ts";
import type { Sources } from "./tagged-set.ts";

const CAP_SYS_ADMIN = 21n;
const NOBODY = "--reuid=65534 --regid=65534 --clear-groups";

/**
 * Run by sh in the new namespaces: its root folder, the sources, how to give up privileges, setpriv, the files to show,
 * then the command. No /proc, no /dev, no temporary folder; the object comes out of stdout. "ready" on descriptor 3 says
 * that what fails from there on is the compiler.
 */
const SCRIPT = `set -eu
root=$1 sources=$2 drop=$3 setpriv=$4 files=$5
shift 5
mount -n -t tmpfs -o mode=755,nosuid,nodev kfn "$root"
cp -R "$sources" "$root/src"
chmod -R a+rX "$root/src"
IFS='
'
for file in $files; do
	mkdir -p "$root\${file%/*}"
	: >"$root$file"
	mount -n --bind "$file" "$root$file"
done
unset IFS
mount -n -o remount,bind,ro,nosuid,nodev "$root"
echo ready >&3
exec chroot "$root" "$setpriv" --no-new-privs --bounding-set=-all --inh-caps=-all $drop -- "$@" 3>&-
`;

/** A folder of sources that one compiler works on. */
export interface Workplace extends AsyncDisposable {
	/** Why there is no jail; undefined where there is one. */
	readonly unjailed: string | undefined;
	/** Runs the compiler; paths are relative to the bundle's root. */
	run(args: readonly string[]): Promise<Finished>;
}

/**
 * Lays `sources` out for `compiler`. Where this machine allows no jail, `demand` decides: with "jail" it throws
 * CLI_JAIL_UNAVAILABLE, with "rules" the compiler runs as any program does, and `unjailed` says why.
 */
export async function openWorkplace(
	compiler: string,
	sources: Sources,
	demand: "jail" | "rules",
): Promise<Workplace> {
	const folder = await mkdtemp(join(tmpdir(), "kfn-compile-"));
	const dispose = () => rm(folder, { recursive: true, force: true });
	try {
		await mkdir(join(folder, "root"));
		for (const [path, bytes] of sources) {
			await mkdir(dirname(join(folder, path)), { recursive: true });
			await writeFile(join(folder, path), bytes);
		}
		const jail = await openJail(compiler, folder);
		if (typeof jail !== "string") return { unjailed: undefined, run: jail, [Symbol.asyncDispose]: dispose };
		if (demand === "jail") throw unavailable(jail);
		const run: Run = (args) => runToEnd([compiler, ...args], folder);
		return { unjailed: jail, run, [Symbol.asyncDispose]: dispose };
	} catch (error) {
		await dispose();
		throw error;
	}
}

type Run = (args: readonly string[]) => Promise<Finished>;

function unavailable(reason: string): CliError {
	return new CliError("CLI_JAIL_UNAVAILABLE", `the compiler cannot be locked in: ${reason}`, {
		hint: "run it as root, or where user namespaces are allowed (user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)",
		details: { reason },
	});
}

/** A way to run in the jail, or what this machine lacks for it: found out by asking the compiler its version there. */
async function openJail(compiler: string, folder: string): Promise<Run | string> {
	try {
		const setpriv = await findProgram("setpriv");
		const files = new Set<string>();
		for (const program of [compiler, setpriv]) {
			for (const file of [program, ...(await librariesOf(program))]) files.add(file);
		}
		const folders = [...new Set([...files].map(dirname))].join(":");
		const command = await enter(join(folder, "root"), join(folder, "src"), setpriv, [...files]);
		const run: Run = async (args) => {
			const finished = await runToEnd([...command, compiler, ...args], folder, folders);
			if (!finished.entered) throw unavailable(lastLine(finished.stderr));
			return finished;
		};
		await run(["--version"]);
		return run;
	} catch (error) {
		if (error instanceof CliError) return String(error.details["reason"] ?? error.message);
		throw error;
	}
}

async function enter(root: string, sources: string, setpriv: string, files: string[]): Promise<string[]> {
	const privileged = await mayMount();
	const namespaces = [...(privileged ? [] : ["--user", "--map-root-user"]), ...["--mount", "--net", "--ipc"]];
	const drop = privileged ? NOBODY : "";
	return ["unshare", ...namespaces, "sh", "-c", SCRIPT, "sh", root, sources, drop, setpriv, files.join("\n")];
}

/** Root with its powers gets along where user namespaces are forbidden; root of a container often has none of them. */
async function mayMount(): Promise<boolean> {
	const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(await readFile("/proc/self/status", "utf8"))?.[1] ?? "0";
	return process.getuid?.() === 0 && ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/** The file that a name on the PATH leads to. CLI_JAIL_UNAVAILABLE. */
export async function findProgram(name: string): Promise<string> {
	for (const folder of (process.env["PATH"] ?? "").split(":")) {
		const file = join(folder, name);
		// An empty or relative entry would be the folder that kfn was started in, which may be the author's.
		if (isAbsolute(folder) && (await isProgram(file))) return realpath(file);
	}
	throw unavailable(`there is no ${name}`);
}

async function isProgram(file: string): Promise<boolean> {
	const found = await stat(file).catch(() => undefined);
	return found?.isFile() === true && (found.mode & 0o111) !== 0;
}

/** The libraries that a program is linked with and the linker that loads them, as ldd(1) finds them; none where it is static. */
async function librariesOf(program: string): Promise<string[]> {
	const answer = await promisify(execFile)("ldd", [program], { env: environment() }).catch(() => ({
		stdout: "",
	}));
	return [...answer.stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => join(path!));
}

function lastLine(text: string): string {
	return text.trim().split("\n").at(-1) || "unshare, sh, mount, chroot or setpriv failed";
}
