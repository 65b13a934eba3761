// The function next to this kernel's own GRO: the same frames in one poll of a device, and the same frames delivered, in the same order, byte for byte.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openNamespace } from "#test/harness/namespace.ts";
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
import { type Delivered, encode } from "./batch.ts";
import { frame } from "./packet.ts";
import { randomSequences } from "./random.ts";
import { TABLE } from "./table.ts";
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
	await using namespace = await openNamespace("gro");
	const sequences = TABLE.map(({ frames }) => frames);
	const kernel = askKernel(kernelGro, namespace, sequences);
	const ours = askFunction(testRun, [object], sequences);
	TABLE.forEach(({ name, delivered }, index) => {
		expect(ours[index]!.map(shown), name).toEqual(kernel[index]!.map(shown));
		expect(kernel[index]!.length, `${name}: frames delivered`).toBe(delivered);
	});
});

test("the package's vectors are answers that the table test holds against the kernel", () => {
	const runs = runBatches(
		testRun,
		[object],
		VECTOR_CASES.map(({ frames }) => encode(frames)),
	);
	const text = VECTOR_CASES.map((entry, index) => `${vectorLine(entry, runs[index]!.out)}\n`).join("");
	if (process.env["KFN_UPDATE"] === "1") writeFileSync(vectorsFile, text);
	expect(readFileSync(vectorsFile, "utf8")).toBe(text);
});

test("a batch that is not well formed is refused and stays as it was", () => {
	const good = encode(TABLE[0]!.frames);
	const changed = (offset: number, value: number) => {
		const batch = Buffer.from(good);
		batch.writeUInt32LE(value, offset);
		return batch;
	};
	const beyond = frame({ version: 6, extensions: [{ kind: 60, body: Array(254).fill(0) }] });
	const batches = [
		...[changed(0, 1), changed(4, 0), changed(4, 3), changed(4, 65), changed(8, 65537), changed(12, 65537)],
		...[good.subarray(0, good.length - 1), Buffer.concat([good, Buffer.alloc(1)]), encode([beyond])],
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
	await using namespace = await openNamespace("gro");
	let [given, merged] = [0, 0];
	for (let done = 0; done < COUNT; done += CHUNK) {
		const seed = SEED * 1_000_003 + done;
		const sequences = randomSequences(seed, Math.min(CHUNK, COUNT - done));
		const kernel = askKernel(kernelGro, namespace, sequences);
		const ours = askFunction(testRun, [object], sequences);
		const onHost = askFunction(host, [], sequences);
		sequences.forEach((frames, index) => {
			const wanted = kernel[index]!;
			given += frames.length;
			merged += wanted.filter(({ gsoSize }) => gsoSize > 0).length;
			if (same(wanted, ours[index]!) && same(wanted, onHost[index]!)) return;
			const text = frames.map((bytes) => bytes.toString("hex")).join("\n");
			expect(ours[index]!.map(shown), `seed ${seed}, sequence ${index}:\n${text}`).toEqual(wanted.map(shown));
			expect(onHost[index]!.map(shown), `on the host, seed ${seed}, sequence ${index}`).toEqual(
				wanted.map(shown),
			);
		});
	}
	console.log(`seed ${SEED}: ${COUNT} sequences, ${given} frames, ${merged} merged ones delivered`);
	expect(merged).toBeGreaterThan(COUNT / 4);
}, 120_000);

function same(one: readonly Delivered[], other: readonly Delivered[]): boolean {
	return (
		one.length === other.length &&
		one.every(
			({ bytes, gsoType, gsoSize, checksumStart }, index) =>
				gsoType === other[index]!.gsoType &&
				gsoSize === other[index]!.gsoSize &&
				checksumStart === other[index]!.checksumStart &&
				bytes.equals(other[index]!.bytes),
		)
	);
}

function shown({ bytes, gsoType, gsoSize, checksumStart }: Delivered): string {
	return `${bytes.length} type ${gsoType} size ${gsoSize} checksum at ${checksumStart}: ${bytes.toString("hex")}`;
}
