// Builds and drives native/dissect.c: what flow dissectors answer, what they execute and how long they take. Refuses to
// interpret a figure.
import { join } from "node:path";
import { BPF_FLAGS, buildObject } from "#test/dissector/build.ts";
import { run } from "#test/harness/command.ts";
import type { Shape } from "./dissector-shapes.ts";

const native = join(import.meta.dirname, "native");
const kfnHeaders = join(import.meta.dirname, "../../packages/_include");

export interface Tool {
	readonly program: string;
	/** Paths of objects. */
	readonly floor: string;
	readonly ours: string;
	readonly tailCall: string;
	readonly tailCallWithoutMap: string;
	readonly flowHash: string;
}

/** What one dissector did with one packet. */
export interface Answer {
	/** 0: the keys hold; 2: dissection failed; 129: left to the C dissector. */
	readonly retval: number;
	readonly keys: string;
	/** BPF instructions executed; what helpers do inside is not counted. */
	readonly instructions: number;
	readonly helpers: number;
}

/** Nanoseconds a packet, one figure a round. */
export type Samples = readonly number[];

/** Compiles everything into `folder`. */
export async function buildTool(folder: string): Promise<Tool> {
	const at = (name: string) => join(folder, name);
	const tool: Tool = {
		program: at("dissect"),
		floor: at("floor.bpf.o"),
		ours: at("flow_dissector.bpf.o"),
		tailCall: at("tail_call.bpf.o"),
		tailCallWithoutMap: at("tail_call_without_map.bpf.o"),
		flowHash: at("flow_hash.bpf.o"),
	};
	const sources = [join(native, "dissect.c"), join(native, "interpreter.c")];
	await run("gcc", ["-O2", "-Wall", "-Wextra", "-Werror", ...sources, "-lbpf", "-o", tool.program]);
	buildObject(tool.ours);
	await compile("floor.bpf.c", tool.floor, ["-I", kfnHeaders]);
	await compile("flow_hash.bpf.c", tool.flowHash, ["-I", kfnHeaders]);
	const system = await systemHeaders();
	await compile("tail_call.bpf.c", tool.tailCall, system);
	await compile("tail_call.bpf.c", tool.tailCallWithoutMap, [...system, "-DWITHOUT_MAP"]);
	return tool;
}

/** Where the C library keeps asm/types.h, which clang does not look at for another target. */
async function systemHeaders(): Promise<string[]> {
	const { stdout } = await run("gcc", ["-print-multiarch"]);
	return ["-idirafter", "/usr/include", "-idirafter", `/usr/include/${stdout.trim()}`];
}

/** The same flags as the package's own, so that only the C differs. */
async function compile(source: string, output: string, more: readonly string[]): Promise<void> {
	await run("clang-19", [...BPF_FLAGS, ...more, "-c", source, "-o", output], { cwd: native });
}

/** Per packet, per object. */
export async function answersOf(
	tool: Tool,
	shapes: readonly Shape[],
	objects: readonly string[],
): Promise<Answer[][]> {
	return await ask<Answer[]>(tool, shapes, ["answers", ...objects]);
}

/** Per packet, per object; the objects take turns. */
export async function timesOf(
	tool: Tool,
	shapes: readonly Shape[],
	objects: readonly string[],
	{ rounds, repeat }: { rounds: number; repeat: number },
): Promise<Samples[][]> {
	return await ask<Samples[]>(tool, shapes, ["time", String(rounds), String(repeat), ...objects]);
}

/** Of a tc program that has the kernel dissect the packet, in a namespace. */
export interface HashTimes {
	/** Without that call. */
	readonly floor: Samples;
	readonly c: Samples;
	/** With a program on the hook that only returns 0. */
	readonly hook: Samples;
	readonly ours: Samples;
}

/** Per packet; C dissector, empty program and ours take turns on the hook of that namespace. */
export async function hashTimesOf(
	tool: Tool,
	shapes: readonly Shape[],
	namespace: string,
	{ rounds, repeat }: { rounds: number; repeat: number },
): Promise<HashTimes[]> {
	const args = ["hash", String(rounds), String(repeat), tool.flowHash, tool.floor, tool.ours, namespace];
	const lines = await ask<[Samples, Samples, Samples, Samples]>(tool, shapes, args);
	return lines.map(([floor, c, hook, ours]) => ({ floor, c, hook, ours }));
}

/** One JSON document per packet. */
async function ask<Line>(tool: Tool, shapes: readonly Shape[], args: readonly string[]): Promise<Line[]> {
	const input = Buffer.concat(
		shapes.flatMap(({ data }) => {
			const head = Buffer.alloc(4);
			head.writeUInt32LE(data.length);
			return [head, data];
		}),
	);
	const { stdout } = await run(tool.program, args, { input, timeoutMs: 300_000 });
	const lines = stdout.trimEnd().split("\n");
	if (lines.length !== shapes.length) throw new Error(`${lines.length} lines for ${shapes.length} packets`);
	return lines.map((line): Line => JSON.parse(line));
}
