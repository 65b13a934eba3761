// Says what this machine can run of the kernel tests. Refuses quiet skips: only a proven "no" skips, and with KFN_NO_SKIPS=1 not even that.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "./command.ts";

/** A probe's answer: `yes`, `no` with the reason, or `unknown` (could not tell), which callers treat as a failure. */
export interface Have {
	readonly have: "yes" | "no" | "unknown";
	readonly reason: string;
}

/** The part of a vitest test context that a skip needs. */
export interface Skippable {
	skip(note?: string): never;
}

/** Says whether this process is root. */
export function haveRoot(): Have {
	const uid = process.getuid?.();
	if (uid === 0) return { have: "yes", reason: "uid 0" };
	return { have: "no", reason: `needs root (namespaces, mounts, bpf()); this is uid ${uid}` };
}

/** Throws, with the reason, where this process is not root. */
export function refuseWithoutRoot(what: string): void {
	const root = haveRoot();
	if (root.have !== "yes") throw new Error(`${what} ${root.reason}`);
}

/** Throws where one of the tools is not on PATH: a missing tool is a broken setup, never a reason to skip. */
export function requireTools(...tools: readonly string[]): void {
	const folders = (process.env["PATH"] ?? "").split(delimiter);
	const missing = tools.filter((tool) => !folders.some((folder) => executable(join(folder, tool))));
	if (missing.length > 0) throw new Error(`missing tools: ${missing.join(", ")}; run: npm run setup`);
}

let flowDissector: Promise<Have> | undefined;

/** Says whether this kernel loads flow-dissector programs, as bpftool's probe (a real load) finds; needs root. */
export function haveFlowDissector(): Promise<Have> {
	flowDissector ??= probeFlowDissector();
	return flowDissector;
}

/**
 * Ends the calling test as skipped where the answer is a proven "no".
 *
 * Throws where the probe could not tell, and also on "no" when KFN_NO_SKIPS=1 says that this machine has everything.
 */
export function skipUnless(context: Skippable, probed: Have): void {
	if (probed.have === "yes") return;
	if (probed.have === "unknown") throw new Error(`could not tell whether this can run: ${probed.reason}`);
	if (process.env["KFN_NO_SKIPS"] === "1") throw new Error(`must not be skipped here: ${probed.reason}`);
	context.skip(probed.reason);
}

/** Skips a kernel test where this process is not root or the kernel has no flow-dissector programs. */
export async function skipUnlessKernel(context: Skippable): Promise<void> {
	skipUnless(context, haveRoot());
	skipUnless(context, await haveFlowDissector());
}

async function probeFlowDissector(): Promise<Have> {
	requireTools("bpftool");
	const { stdout } = await run("bpftool", ["--json", "feature", "probe", "kernel"]);
	const found: unknown = JSON.parse(stdout);
	const types = (found as { program_types?: Record<string, unknown> }).program_types;
	const have = types?.["have_flow_dissector_prog_type"];
	if (have === true) return { have: "yes", reason: "bpftool loaded one" };
	if (have === false) return { have: "no", reason: "this kernel refuses flow-dissector programs" };
	return { have: "unknown", reason: "bpftool's probe does not say" };
}

function executable(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}
