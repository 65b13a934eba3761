// Asks who merges: the function in this kernel or on the host (native/test_run.c, native/host.c), and the kernel's own GRO (native/kernel_gro.c). Refuses to judge.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BPF_FLAGS } from "#test/dissector/build.ts";
import { IN, OUT, type Wire } from "#test/harness/wire.ts";
import { type Delivered, delivered, encode, MAX_SIZE, type Sequence } from "./batch.ts";

const native = fileURLToPath(new URL("./native", import.meta.url));
const packageFolder = fileURLToPath(new URL("../../packages/gro", import.meta.url));
const includes = fileURLToPath(new URL("../../packages/_include", import.meta.url));
const FLAGS = ["-O1", "-g", "-Wall", "-Wextra", "-Werror"] as const;
const SANITIZERS = [
	...["-fsanitize=address,undefined", "-fno-sanitize=alignment", "-fno-sanitize-recover=all"],
] as const;

/** For C that is compiled for the host. */
export const SANITIZED: readonly string[] = [...FLAGS, ...SANITIZERS];

const [WIRE, POLL_TIME] = [".wire.bpf.o", ".poll-time.bpf.o"];

export const vectorsFile = join(packageFolder, "vectors/table.jsonl");
export const XDP_PASS = 2;

export function buildObject(output: string): void {
	const flags = [...BPF_FLAGS, "-I", includes];
	execFileSync("clang-19", [...flags, "-c", "src/gro.bpf.c", "-o", output], { cwd: packageFolder });
}

export function buildTestRun(output: string, fixed = false): void {
	const libraries = fixed ? ["-static", "-lbpf", "-lelf", "-lz"] : ["-lbpf"];
	execFileSync("gcc", [...FLAGS, join(native, "test_run.c"), ...libraries, "-o", output], { stdio: "pipe" });
}

/** The program, and beside it what it puts on the wire. */
export function buildKernelGro(output: string): void {
	const sources = ["kernel_gro.c", "device.c"].map((name) => join(native, name));
	execFileSync("gcc", [...FLAGS, ...sources, "-lbpf", "-o", output], { stdio: "pipe" });
	for (const [source, suffix] of [
		["wire.bpf.c", WIRE],
		["poll_time.bpf.c", POLL_TIME],
	] as const) {
		const files = ["-c", join(native, source), "-o", output + suffix];
		execFileSync("clang-19", [...BPF_FLAGS, "-Wno-unused-parameter", "-I", includes, ...files]);
	}
}

/** The same C for the host; sanitized unless speed is what is asked for. */
export function buildHost(output: string, flags: readonly string[] = SANITIZED): void {
	const paths = ["-I", includes, "-I", join(packageFolder, "src")];
	execFileSync("gcc", [...flags, ...paths, join(native, "host.c"), "-o", output], { stdio: "pipe" });
}

interface Run {
	readonly retval: number;
	readonly nanoseconds: number;
	readonly out: Buffer;
}

/** Instead of how often a batch is run: once, and no time in the answer, so that two machines' answers can be equal. */
export const TIMELESS = "nanoseconds-0";

export function inputOf(batches: readonly Buffer[]): Buffer {
	return Buffer.concat(batches.flatMap((batch) => [word(batch.length), batch]));
}

export function askRaw(program: string, args: readonly string[], input: Buffer): Buffer {
	return execFileSync(program, args, { input, maxBuffer: 1 << 30, stdio: "pipe" });
}

/** Runs batches as they are; a program ends with an error when a sanitizer or the kernel objects. */
export function runBatches(
	program: string,
	args: readonly string[],
	batches: readonly Buffer[],
): readonly Run[] {
	const output = askRaw(program, args, inputOf(batches));
	let at = 0;
	return batches.map(({ length }) => {
		const retval = output.readUInt32LE(at);
		const nanoseconds = output.readUInt32LE(at + 4);
		const out = output.subarray(at + 8, at + 8 + length);
		at += 8 + length;
		return { retval, nanoseconds, out };
	});
}

/** What the function delivers of each sequence of frames. */
export function askFunction(
	program: string,
	args: readonly string[],
	sequences: readonly Sequence[],
): readonly (readonly Delivered[])[] {
	const runs = runBatches(program, args, sequences.map(encode));
	return runs.map(({ retval, out }, index) => {
		if (retval !== XDP_PASS) throw new Error(`batch ${index} was refused: ${retval}`);
		return delivered(sequences[index]!.frames, out);
	});
}

/** What the kernel's own GRO delivers of each sequence, each of them one poll of the device at the wire's end. */
export function askKernel(
	program: string,
	wire: Wire,
	sequences: readonly Sequence[],
): readonly (readonly Delivered[])[] {
	const output = runKernelGro(program, wire, sequences);
	let at = 0;
	const next = () => {
		at += 4;
		return output.readUInt32LE(at - 4);
	};
	return sequences.map(() =>
		Array.from({ length: next() }, () => {
			const [length, gsoType, gsoSize, checksumStart, vlan] = [next(), next(), next(), next(), next()];
			at += length;
			return { bytes: output.subarray(at - length, at), gsoType, gsoSize, checksumStart, vlan };
		}),
	);
}

/** Nanoseconds that the kernel's own GRO takes for each sequence: the median of `repeat` polls, without delivering. */
export function timeKernel(
	program: string,
	wire: Wire,
	sequences: readonly Sequence[],
	repeat: number,
): readonly number[] {
	const output = runKernelGro(program, wire, sequences, [program + POLL_TIME, String(repeat)]);
	return sequences.map((_, index) => output.readUInt32LE(4 * index));
}

function runKernelGro(
	program: string,
	{ netns }: Wire,
	sequences: readonly Sequence[],
	more: readonly string[] = [],
): Buffer {
	const command = ["netns", "exec", netns.name, program, netns.path, program + WIRE, OUT, IN, ...more];
	const input = Buffer.concat(sequences.flatMap(pollOf));
	return execFileSync("ip", command, { input, maxBuffer: 1 << 30, stdio: "pipe", timeout: 60_000 });
}

function pollOf({ frames, found, maxSize, ipv4MaxSize }: Sequence): Buffer[] {
	const head = [frames.length, maxSize ?? MAX_SIZE, ipv4MaxSize ?? MAX_SIZE].map(word);
	return [
		...head,
		...frames.flatMap((frame, index) => {
			const { hash, vlan } = found?.[index] ?? {};
			return [word(frame.length), word(hash ?? 0), word(vlan ?? 0), frame];
		}),
	];
}

function word(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32LE(value);
	return bytes;
}
