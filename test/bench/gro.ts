// Times the GRO function through BPF_PROG_TEST_RUN, per packet, next to the same C compiled for the host (-O2, no sanitizers) on the same
// batches. Refuses to compare unequal work: the answers must be the same bytes. Neither is the kernel's GRO, which is not timed: it merges
// packets, while the function copies a batch of 288 bytes a packet in and out, which the kernel never does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildHost, buildObject, buildTestRun, runBatches } from "#test/gro/ask.ts";
import { encode } from "#test/gro/batch.ts";
import { frame, type Spec } from "#test/gro/packet.ts";
import { registerUndo } from "#test/harness/cleanup.ts";
import { type BenchRow, median, round } from "./row.ts";

const ROUNDS = 15;
const REPEAT = "2000";
const PACKETS = 64;

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

export async function run(report: (row: BenchRow) => void): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), "kfn-bench-gro-"));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	const [object, testRun, host] = [join(folder, "gro.bpf.o"), join(folder, "test_run"), join(folder, "host")];
	try {
		buildObject(object);
		buildTestRun(testRun);
		buildHost(host, ["-O2"]);
		const batches = SHAPES.map(encode);
		const rounds = Array.from({ length: ROUNDS }, () => ({
			ours: runBatches(testRun, [object, REPEAT], batches),
			peer: runBatches(host, [REPEAT], batches),
		}));
		SHAPES.forEach(({ name }, index) => {
			const once = runBatches(testRun, [object], batches)[index]!;
			if (!once.out.equals(rounds[0]!.peer[index]!.out)) throw new Error(`${name}: unequal answers`);
			const time = (who: "ours" | "peer") =>
				round(median(rounds.map((samples) => samples[who][index]!.nanoseconds)) / PACKETS);
			const row = { bench: "gro", case: name, metric: "ns/packet", ours: time("ours"), peer: time("peer") };
			report({ ...row, peerName: "same C on the host", note: "batches of 64, copied in and out" });
		});
	} finally {
		undo.run();
	}
}
