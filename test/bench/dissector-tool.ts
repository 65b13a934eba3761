// Builds and drives native/dissect.c: what flow dissectors answer, what they execute and how long they take. Refuses to
// interpret a figure.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BPF_FLAGS, buildObject } from "#test/dissector/build.ts";
import { run } from "#test/harness/command.ts";
import { type Shape, VXLAN_PORT } from "./dissector-shapes.ts";

const native = join(import.meta.dirname, "native");
const kfnHeaders = join(import.meta.dirname, "../../packages/_include");

/** Paths of objects that are told of the same tunnels. */
export interface Dissectors {
	readonly ours: string;
	readonly tailCall: string;
	readonly tailCallWithoutMap: string;
}

export interface Tool {
	readonly program: string;
	readonly floor: string;
	readonly flowHash: string;
	/** As they are by default. */
	readonly plain: Dissectors;
	/** Told VXLAN's port. */
	readonly vxlan: Dissectors;
}

/** Of our parameters, by name: packages/flow-dissector/src/config.h. */
const VXLAN_PORTS = 4;

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
	const sources = [join(native, "dissect.c"), join(native, "interpreter.c")];
	await run("gcc", ["-O2", "-Wall", "-Wextra", "-Werror", ...sources, "-lbpf", "-o", at("dissect")]);
	await compile("floor.bpf.c", at("floor.bpf.o"), ["-I", kfnHeaders]);
	await compile("flow_hash.bpf.c", at("flow_hash.bpf.o"), ["-I", kfnHeaders]);
	const plain = await buildDissectors(at("plain"), []);
	const vxlan = await buildDissectors(at("vxlan"), [`-DVXLAN_PORT=${VXLAN_PORT}`]);
	writeFileSync(vxlan.ours, withParameter(readFileSync(vxlan.ours), VXLAN_PORTS, VXLAN_PORT));
	const [program, floor, flowHash] = [at("dissect"), at("floor.bpf.o"), at("flow_hash.bpf.o")];
	return { program, floor, flowHash, plain, vxlan };
}

async function buildDissectors(prefix: string, flags: readonly string[]): Promise<Dissectors> {
	const ours = `${prefix}.flow_dissector.bpf.o`;
	const tailCall = `${prefix}.tail_call.bpf.o`;
	const tailCallWithoutMap = `${prefix}.tail_call_without_map.bpf.o`;
	const system = await systemHeaders();
	buildObject(ours);
	await compile("tail_call.bpf.c", tailCall, [...system, ...flags]);
	await compile("tail_call.bpf.c", tailCallWithoutMap, [...system, ...flags, "-DWITHOUT_MAP"]);
	return { ours, tailCall, tailCallWithoutMap };
}

/** Sets the first element of one of our parameters, as kfn-load does (packages/_include/kfn/config.h). */
function withParameter(object: Buffer, parameter: number, value: number): Buffer {
	const changed = Buffer.from(object);
	let places = 0;
	for (let at = 0; at + 16 <= changed.length; at += 8) {
		const isWideLoad = changed[at] === 0x18 && changed.readUInt32LE(at + 8) === 0;
		if (!isWideLoad || changed.readUInt32LE(at + 12) !== ((0x6b66 << 16) | (parameter << 8))) continue;
		changed.writeUInt32LE(value, at + 4);
		places++;
	}
	if (places === 0) throw new Error(`ours has no place for parameter ${parameter}`);
	return changed;
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
	{ program }: Tool,
	shapes: readonly Shape[],
	objects: readonly string[],
): Promise<Answer[][]> {
	return await ask<Answer[]>(program, shapes, ["answers", ...objects]);
}

/** Per packet, per object; the objects take turns. */
export async function timesOf(
	{ program }: Tool,
	shapes: readonly Shape[],
	objects: readonly string[],
	{ rounds, repeat }: { rounds: number; repeat: number },
): Promise<Samples[][]> {
	return await ask<Samples[]>(program, shapes, ["time", String(rounds), String(repeat), ...objects]);
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
	{ program, flowHash, floor }: Tool,
	shapes: readonly Shape[],
	ours: string,
	namespace: string,
	{ rounds, repeat }: { rounds: number; repeat: number },
): Promise<HashTimes[]> {
	const args = ["hash", String(rounds), String(repeat), flowHash, floor, ours, namespace];
	const lines = await ask<[Samples, Samples, Samples, Samples]>(program, shapes, args);
	return lines.map(([without, c, hook, attached]) => ({ floor: without, c, hook, ours: attached }));
}

/** One JSON document per packet. */
async function ask<Line>(
	program: string,
	shapes: readonly Shape[],
	args: readonly string[],
): Promise<Line[]> {
	const input = Buffer.concat(
		shapes.flatMap(({ data }) => {
			const head = Buffer.alloc(4);
			head.writeUInt32LE(data.length);
			return [head, data];
		}),
	);
	const { stdout } = await run(program, args, { input, timeoutMs: 300_000 });
	const lines = stdout.trimEnd().split("\n");
	if (lines.length !== shapes.length) throw new Error(`${lines.length} lines for ${shapes.length} packets`);
	return lines.map((line): Line => JSON.parse(line));
}
