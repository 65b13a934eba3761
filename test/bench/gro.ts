// Times the GRO function through BPF_PROG_TEST_RUN, per packet, next to the kernel's own GRO on the same packets and to the same C compiled for
// the host (-O2, no sanitizers) on the same batches. Refuses to compare unequal work with the host's: the answers must be the same bytes.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	buildHost,
	buildKernelGro,
	buildObject,
	buildTestRun,
	runBatches,
	timeKernel,
} from "#test/gro/ask.ts";
import { encode } from "#test/gro/batch.ts";
import { frame, type Spec } from "#test/gro/packet.ts";
import { registerUndo } from "#test/harness/cleanup.ts";
import { openWire } from "#test/harness/wire.ts";
import { type BenchRow, median, round } from "./row.ts";

const ROUNDS = 15;
const REPEAT = "2000";
const POLLS = 300;
/** What one poll takes and still ends. */
const PACKETS = 63;

interface Shape {
	readonly name: string;
	readonly frames: readonly Buffer[];
}

const shape = (name: string, of: (index: number) => Spec): Shape => ({
	name,
	frames: Array.from({ length: PACKETS }, (_, index) => frame({ payload: 500, id: index, ...of(index) })),
});

const SHAPES: readonly Shape[] = [
	shape("ipv4-one-flow", (index) => ({ seq: 1 + 500 * index })),
	shape("ipv6-one-flow", (index) => ({ version: 6, seq: 1 + 500 * index })),
	shape("ipv4-8-flows", (index) => ({
		sport: 1000 + (index % 8),
		seq: 1 + 500 * (index >> 3),
		id: index >> 3,
	})),
	shape("ipv4-nothing-merges", (index) => ({ sport: 1000 + index })),
	shape("not-tcp", () => ({ protocol: 17 })),
];

type Who = "function" | "kernel" | "host";

const NOTES = {
	kernel: "a poll of a veth device less delivery, against batches that are copied in and out",
	host: "batches of 63, copied in and out",
} as const;
const PEERS = { kernel: "kernel GRO", host: "same C on the host" } as const;

export async function run(report: (row: BenchRow) => void): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), "kfn-bench-gro-"));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	const path = (name: string) => join(folder, name);
	const [object, testRun, host, kernelGro] = ["gro.bpf.o", "test_run", "host", "kernel_gro"].map(path) as [
		...[string, string, string, string],
	];
	try {
		await using wire = await openWire("bench-gro");
		buildObject(object);
		buildTestRun(testRun);
		buildHost(host, ["-O2"]);
		buildKernelGro(kernelGro);
		const batches = SHAPES.map(encode);
		const times = Array.from({ length: ROUNDS }, () => ({
			function: runBatches(testRun, [object, REPEAT], batches).map(({ nanoseconds }) => nanoseconds),
			kernel: timeKernel(kernelGro, wire, SHAPES, POLLS),
			host: runBatches(host, [REPEAT], batches).map(({ nanoseconds }) => nanoseconds),
		}));
		expectSame(runBatches(testRun, [object], batches), runBatches(host, [], batches));
		SHAPES.forEach(({ name }, index) => {
			const time = (who: Who) => round(median(times.map((samples) => samples[who][index]!)) / PACKETS);
			for (const peer of ["kernel", "host"] as const)
				report({
					...{ bench: "gro", case: name, metric: "ns/packet", ours: time("function"), peer: time(peer) },
					...{ peerName: PEERS[peer], note: NOTES[peer] },
				});
		});
	} finally {
		undo.run();
	}
}

function expectSame(one: ReturnType<typeof runBatches>, other: ReturnType<typeof runBatches>): void {
	one.forEach(({ out }, index) => {
		if (!out.equals(other[index]!.out)) throw new Error(`${SHAPES[index]!.name}: unequal answers`);
	});
}
