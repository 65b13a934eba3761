// The kernel's own BPF flow dissector, the selftest sample: gets it (fetch.sh), compiles it as it is, and asks it in this
// kernel (run.c). Refuses to know what it answers.
import { join } from "node:path";
import { run } from "#test/harness/command.ts";
import type { Have } from "#test/harness/feature.ts";
import { KEYS_SIZE } from "../keys.ts";
import { ask, type Question } from "../native.ts";

const here = import.meta.dirname;
const source = join(here, "../../../build/sample/bpf_flow.c");
/** EX_TEMPFAIL of sysexits.h: fetch.sh can not have it here and now. */
const UNAVAILABLE = 75;
const ANSWER_SIZE = 8 + KEYS_SIZE;

export interface Sample {
	readonly program: string;
	readonly object: string;
}

/** What the sample made of a packet; `hash` is the kernel's flow hash with it attached, 0 for none. */
export interface SampleAnswer {
	readonly hash: number;
	readonly retval: number;
	readonly keys: Buffer;
}

/** Fetches the source where it is not there; `no` where it cannot be had. Throws where it should have been. */
export async function haveSample(): Promise<Have> {
	const { code, stderr } = await run("bash", [join(here, "fetch.sh")], {
		timeoutMs: 300_000,
		allowFailure: true,
	});
	if (code === 0) return { have: "yes", reason: source };
	const reason = stderr.trimEnd().split("\n").at(-1) ?? "";
	if (code === UNAVAILABLE) return { have: "no", reason };
	throw new Error(`test/dissector/sample/fetch.sh: ${stderr}`);
}

/** Compiles the sample and what asks it into `folder`. */
export async function buildSample(folder: string): Promise<Sample> {
	const sample = { program: join(folder, "run_sample"), object: join(folder, "bpf_flow.bpf.o") };
	const { stdout } = await run("gcc", ["-print-multiarch"]);
	const multiarch = stdout.trim();
	// Without the host's name the C library's headers take BPF for a 32-bit machine.
	const host = [`-D__${multiarch.split("-")[0]}__`, "-idirafter", `/usr/include/${multiarch}`];
	const flags = ["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-w", ...host];
	await run("clang-19", [...flags, "-c", source, "-o", sample.object]);
	const warnings = ["-Wall", "-Wextra", "-Werror"];
	await run("gcc", ["-O1", "-g", ...warnings, join(here, "run.c"), "-lbpf", "-o", sample.program]);
	return sample;
}

/** Asks the kernel, in a namespace of the test's own. */
export function sampleAnswers(
	{ program, object }: Sample,
	hashOracle: string,
	namespace: string,
	questions: readonly Question[],
): readonly SampleAnswer[] {
	const output = ask(program, [object, hashOracle, namespace], questions, ANSWER_SIZE);
	return questions.map((_, index) => {
		const at = index * ANSWER_SIZE;
		return {
			hash: output.readUInt32LE(at),
			retval: output.readUInt32LE(at + 4),
			keys: output.subarray(at + 8, at + ANSWER_SIZE),
		};
	});
}
