// The function next to this kernel's own GRO: the same frames in one poll of a device, and the same frames delivered, in the same order, byte for byte.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWire } from "#test/harness/wire.ts";
import {
	askFunction,
	askKernel,
	buildHost,
	buildKernelGro,
	buildObject,
	buildTestRun,
	runBatches,
	vectorsFile,
} from "./ask.ts";
import { type Delivered, encode, type Sequence } from "./batch.ts";
import { frame } from "./packet.ts";
import { randomSequences } from "./random.ts";
import { TABLE } from "./table.ts";
import { payloadOf, tunneled, UPSTREAM } from "./upstream.ts";
import { VECTOR_CASES, vectorLine } from "./vectors.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-gro-"));
const [object, testRun, kernelGro, host] = ["gro.bpf.o", "test_run", "kernel_gro", "host"].map((name) =>
	join(folder, name),
) as [string, string, string, string];
const SEED = Number(process.env["KFN_GRO_SEED"] ?? 1);
const COUNT = Number(process.env["KFN_GRO_SEQUENCES"] ?? 10_000);
const CHUNK = 2500;

beforeAll(() => {
	buildObject(object);
	buildTestRun(testRun);
	buildKernelGro(kernelGro);
	buildHost(host);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("the table: every case of the kernel's own suite, and what it leaves out", async () => {
	await using wire = await openWire("gro");
	const kernel = askKernel(kernelGro, wire, TABLE);
	const ours = askFunction(testRun, [object], TABLE);
	TABLE.forEach(({ name, delivered }, index) => {
		expect(ours[index]!.map(shown), name).toEqual(kernel[index]!.map(shown));
		expect(kernel[index]!.length, `${name}: frames delivered`).toBe(delivered);
	});
});

test("the kernel's selftest: its packets, its expectations", async () => {
	await using wire = await openWire("gro");
	const kernel = askKernel(kernelGro, wire, UPSTREAM);
	const ours = askFunction(testRun, [object], UPSTREAM);
	UPSTREAM.forEach(({ name, payloads, here }, index) => {
		expect(ours[index]!.map(shown), name).toEqual(kernel[index]!.map(shown));
		const wanted = here?.payloads ?? payloads;
		expect(
			kernel[index]!.map(({ bytes }) => payloadOf(bytes)),
			name,
		).toEqual(wanted);
	});
});

test("the kernel's selftest in a tunnel: the kernel merges there, the function leaves each packet as it is", async () => {
	await using wire = await openWire("gro");
	const given = UPSTREAM.filter(({ name }) => name.startsWith("data_same"));
	const sequences = given.map(({ name, frames }) => ({
		frames: tunneled(frames, name.endsWith("ipv4") ? 4 : 6),
	}));
	const kernel = askKernel(kernelGro, wire, sequences);
	const ours = askFunction(testRun, [object], sequences);
	expect(kernel.map((frames) => frames.length)).toEqual([1, 1]);
	sequences.forEach(({ frames }, index) => {
		expect(ours[index]!.map(({ bytes }) => bytes.toString("hex"))).toEqual(
			frames.map((bytes) => bytes.toString("hex")),
		);
	});
});

test("the package's vectors are answers that the table test holds against the kernel", () => {
	const runs = runBatches(testRun, [object], VECTOR_CASES.map(encode));
	const text = VECTOR_CASES.map((entry, index) => `${vectorLine(entry, runs[index]!.out)}\n`).join("");
	if (process.env["KFN_UPDATE"] === "1") writeFileSync(vectorsFile, text);
	expect(readFileSync(vectorsFile, "utf8")).toBe(text);
});

test("a batch that is not well formed is refused and stays as it was", () => {
	const good = encode(TABLE[0]!);
	const changed = (offset: number, value: number) => {
		const batch = Buffer.from(good);
		batch.writeUInt32LE(value, offset);
		return batch;
	};
	const beyond = frame({ version: 6, extensions: [{ kind: 60, body: Array(254).fill(0) }] });
	const batches = [
		...[changed(0, 1), changed(4, 0), changed(4, 3), changed(4, 65), changed(8, 65537), changed(12, 65537)],
		...[
			good.subarray(0, good.length - 1),
			Buffer.concat([good, Buffer.alloc(1)]),
			encode({ frames: [beyond] }),
		],
	];
	for (const [program, args] of [
		[testRun, [object]],
		[host, []],
	] as const)
		runBatches(program, args, batches).forEach(({ retval, out }, index) => {
			expect(retval, `batch ${index}`).toBe(0);
			expect(out.equals(batches[index]!), `batch ${index}`).toBe(true);
		});
});

test(`${COUNT} random sequences, the function in the kernel and on the host with sanitizers`, async () => {
	await using wire = await openWire("gro");
	const merged: Delivered[] = [];
	let given = 0;
	for (let done = 0; done < COUNT; done += CHUNK) {
		const seed = SEED * 1_000_003 + done;
		const sequences = randomSequences(seed, Math.min(CHUNK, COUNT - done));
		const kernel = askKernel(kernelGro, wire, sequences);
		const ours = askFunction(testRun, [object], sequences);
		const onHost = askFunction(host, [], sequences);
		sequences.forEach((sequence, index) => {
			const wanted = kernel[index]!;
			given += sequence.frames.length;
			merged.push(...wanted.filter(({ gsoSize }) => gsoSize > 0).map(withoutBytes));
			if (same(wanted, ours[index]!) && same(wanted, onHost[index]!)) return;
			const text = `seed ${seed}, sequence ${index}:\n${described(sequence)}`;
			expect(ours[index]!.map(shown), text).toEqual(wanted.map(shown));
			expect(onHost[index]!.map(shown), `on the host, ${text}`).toEqual(wanted.map(shown));
		});
	}
	const count = (which: (one: Delivered) => boolean) => merged.filter(which).length;
	const tagged = count(({ vlan }) => vlan !== 0);
	const fixed = count(({ gsoType }) => (gsoType & (1 << 30)) !== 0);
	console.log(
		`seed ${SEED}: ${COUNT} sequences, ${given} frames, ${merged.length} merged ones, ${tagged} with a VLAN tag, ${fixed} with a fixed ID`,
	);
	expect(merged.length).toBeGreaterThan(COUNT / 4);
	expect(tagged).toBeGreaterThan(COUNT / 20);
	expect(fixed).toBeGreaterThan(COUNT / 20);
}, 120_000);

const withoutBytes = (one: Delivered): Delivered => ({ ...one, bytes: Buffer.alloc(0) });

function described({ frames, found, ...limits }: Sequence): string {
	const lines = frames.map((bytes, index) => `${JSON.stringify(found?.[index])} ${bytes.toString("hex")}`);
	return [JSON.stringify(limits), ...lines].join("\n");
}

function same(one: readonly Delivered[], other: readonly Delivered[]): boolean {
	return (
		one.length === other.length &&
		one.every(
			({ bytes, gsoType, gsoSize, checksumStart, vlan }, index) =>
				gsoType === other[index]!.gsoType &&
				gsoSize === other[index]!.gsoSize &&
				checksumStart === other[index]!.checksumStart &&
				vlan === other[index]!.vlan &&
				bytes.equals(other[index]!.bytes),
		)
	);
}

function shown({ bytes, gsoType, gsoSize, checksumStart, vlan }: Delivered): string {
	const gso = `type ${gsoType.toString(16)} size ${gsoSize} checksum at ${checksumStart}`;
	return `${bytes.length} ${gso} tag ${vlan.toString(16)}: ${bytes.toString("hex")}`;
}
