// The C of gro-live's headers on the host, under sanitizers, next to gro's: what becomes one train there is what the kernel's own GRO, as
// the function gro has it, makes one packet of, with the same bytes. No root, no kernel: some seconds.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askFunction, askRaw, buildHost, SANITIZED } from "../gro/ask.ts";
import { checksumIsGood, type Sequence } from "../gro/batch.ts";
import { randomSequences } from "../gro/random.ts";
import { TABLE } from "../gro/table.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-gro-live-"));
const [host, gro] = [join(folder, "host"), join(folder, "gro")];
const SEED = Number(process.env["KFN_GRO_SEED"] ?? 1);
/** BPF_SKB_MAX_LEN: what is longer alone is no packet of a device here. */
const LONGEST = 16_064;

beforeAll(() => {
	const path = (from: string) => fileURLToPath(new URL(from, import.meta.url));
	const includes = ["-I", path("../../packages/_include"), "-I", path("../../packages/gro-live/src")];
	execFileSync(
		"gcc",
		[...SANITIZED, "-Wno-unknown-pragmas", ...includes, path("native/host.c"), "-o", host],
		{ stdio: "pipe" },
	);
	buildHost(gro);
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Delivery {
	/** Those that it stands for. */
	readonly frames: readonly Buffer[];
	readonly bytes: Buffer;
}

function walk(sequences: readonly Sequence[]): Delivery[][] {
	const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
	const input = sequences.flatMap(({ frames }) => [
		words(frames.length),
		...frames.flatMap((frame) => [words(frame.length, checksumIsGood(frame) ? 1 : 0), frame]),
	]);
	const output = askRaw(host, [], Buffer.concat(input));
	let at = 0;
	const next = () => {
		at += 4;
		return output.readUInt32LE(at - 4);
	};
	const answers = sequences.map(({ frames }) => {
		let given = 0;
		return Array.from({ length: next() }, () => {
			const [count, length] = [next(), next()];
			at += length;
			given += count;
			return { frames: frames.slice(given - count, given), bytes: output.subarray(at - length, at) };
		});
	});
	expect(at).toBe(output.length);
	return answers;
}

/** How many deliveries were trains, of how many frames. */
function judge(sequences: readonly Sequence[]): { trains: number; frames: number } {
	const all = walk(sequences);
	all.forEach((deliveries, index) => {
		const given = sequences[index]!.frames;
		expect(deliveries.flatMap(({ frames }) => frames).length).toBe(given.length);
	});
	const alone = all.flat().filter(({ frames }) => frames.length === 1);
	for (const { frames, bytes } of alone) expect(bytes.equals(frames[0]!)).toBe(true);
	const trains = all.flat().filter(({ frames }) => frames.length > 1);
	const merged = askFunction(gro, [], trains);
	trains.forEach(({ bytes, frames }, index) => {
		const text = frames.map((frame) => frame.toString("hex")).join("\n");
		expect(
			merged[index]!.map((one) => one.bytes.toString("hex")),
			text,
		).toEqual([bytes.toString("hex")]);
	});
	return { trains: trains.length, frames: trains.flatMap(({ frames }) => frames).length };
}

test("the kernel's cases: no train that the kernel would not make", () => {
	expect(judge(TABLE.map(({ frames }) => ({ frames }))).trains).toBeGreaterThan(5);
});

test("10,000 random sequences", () => {
	const sequences = randomSequences(SEED * 1_000_003, 10_000).map(({ frames }) => ({
		frames: frames.filter(({ length }) => length <= LONGEST),
	}));
	const { trains, frames } = judge(sequences.filter((sequence) => sequence.frames.length > 0));
	console.log(`  ${frames} frames in ${trains} trains, as the function gro merges them`);
	expect(trains).toBeGreaterThan(1000);
});
