// Times our flow dissector on shapes of traffic, next to a tail-call dissector of the selftest sample's structure and to
// the kernel's C dissector. Refuses to compare unequal work: a shape that ours leaves to the C dissector has no ratio.
//
// All times are BPF_PROG_TEST_RUN's, medians over rounds in which the programs take turns, less the floor: the same run
// of a program that does nothing. A ratio is of these differences.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerUndo } from "#test/harness/cleanup.ts";
import { openNamespace } from "#test/harness/namespace.ts";
import { SHAPES, type Shape } from "./dissector-shapes.ts";
import {
	type Answer,
	answersOf,
	buildTool,
	type Dissectors,
	type HashTimes,
	hashTimesOf,
	type Samples,
	type Tool,
	timesOf,
} from "./dissector-tool.ts";
import { type BenchRow, median, quantile, round } from "./row.ts";

/** 3 to 10 ms a sample: long against the clock and one system call, short against what disturbs this machine. */
const EFFORT = { rounds: 25, repeat: 100_000 };
const OK = 0;
const CONTINUE = 129;
const PEERS = ["tail-call sample", "tail-call sample without its map"] as const;

export async function run(report: (row: BenchRow) => void): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), "kfn-bench-dissector-"));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	try {
		const tool = await buildTool(folder);
		await compare(
			tool,
			SHAPES.filter(({ vxlanPort }) => !vxlanPort),
			tool.plain,
			report,
		);
		await compare(
			tool,
			SHAPES.filter(({ vxlanPort }) => vxlanPort),
			tool.vxlan,
			report,
		);
	} finally {
		undo.run();
	}
}

async function compare(
	tool: Tool,
	shapes: readonly Shape[],
	{ ours, tailCall, tailCallWithoutMap }: Dissectors,
	report: (row: BenchRow) => void,
): Promise<void> {
	const objects = [tool.floor, ours, tailCall, tailCallWithoutMap];
	const answers = await answersOf(tool, shapes, objects);
	for (const [index, shape] of shapes.entries()) expectEqualWork(shape, answers[index]!);
	const times = await timesOf(tool, shapes, objects, EFFORT);
	for (const [index, shape] of shapes.entries()) {
		for (const row of tailCallRows(shape, answers[index]!, times[index]!)) report(row);
	}
	await using namespace = await openNamespace("bench-dissector");
	const hashTimes = await hashTimesOf(tool, shapes, ours, namespace.path, EFFORT);
	for (const [index, shape] of shapes.entries()) report(cRow(shape, answers[index]![1]!, hashTimes[index]!));
}

function expectEqualWork(shape: Shape, [, ours, ...peers]: readonly Answer[]): void {
	for (const peer of peers) {
		const unequal = unequalWork(shape, ours!, peer);
		if (unequal !== undefined) throw new Error(unequal);
	}
}

/** Where both answer, they must have found the same; says what differs, or nothing. */
export function unequalWork(shape: Shape, ours: Answer, peer: Answer): string | undefined {
	if (peer.retval !== OK) return `${shape.name}: the peer answers ${peer.retval}`;
	if (ours.retval === CONTINUE) return undefined;
	if (ours.retval === OK && carried(ours.keys) === carried(peer.keys)) return undefined;
	return `${shape.name}: ours answers ${ours.retval} ${ours.keys}, the peer ${peer.keys}`;
}

/** Keys without the bytes behind two IPv4 addresses, which no reader looks at: ours clears them, the sample does not. */
function carried(keys: string): string {
	const isIpv4 = keys.slice(8, 12) === "0008";
	return isIpv4 ? keys.slice(0, 48) + keys.slice(96) : keys;
}

/** Times and instructions next to both forms of the tail-call dissector. */
export function tailCallRows(
	shape: Shape,
	answers: readonly Answer[],
	times: readonly Samples[],
): BenchRow[] {
	const [floorAnswer, ours, ...peers] = answers as [Answer, Answer, ...Answer[]];
	const [floor, oursTimes, ...peerTimes] = times as [Samples, Samples, ...Samples[]];
	const left = ours.retval === CONTINUE;
	const base = { bench: "dissector", case: shape.name };
	const beside = (peerName: string, peer: number) =>
		left ? { peerName, note: `left to the C dissector; ${peerName}: ${peer}` } : { peerName, peer };
	return peers.flatMap((peer, index) => [
		{
			...base,
			metric: "ns/packet",
			ours: net(oursTimes, floor),
			...beside(PEERS[index]!, net(peerTimes[index]!, floor)),
			spread: spread(oursTimes),
			floor: round(median(floor)),
		},
		{
			...base,
			metric: "instructions/packet",
			ours: ours.instructions - floorAnswer.instructions,
			...beside(PEERS[index]!, peer.instructions - floorAnswer.instructions),
			helpers: ours.helpers,
			peerHelpers: peer.helpers,
		},
	]);
}

/** The whole flow hash: dissection and SipHash, with the C dissector and with ours on the hook. */
function cRow(shape: Shape, ours: Answer, times: HashTimes): BenchRow {
	const hook = net(times.hook, times.floor);
	const left = ours.retval === CONTINUE ? "left to the C dissector; " : "";
	const further = shape.vxlanPort ? "the C dissector stops at the outer ports; " : "";
	return {
		bench: "dissector",
		case: shape.name,
		metric: "ns/packet",
		ours: net(times.ours, times.floor),
		peer: net(times.c, times.floor),
		peerName: "C dissector",
		/** What any program on the hook costs before it does a thing. */
		hook,
		note: `${left}${further}hash included; with a program that only returns 0: ${hook}`,
		spread: spread(times.ours),
		floor: round(median(times.floor)),
	};
}

function net(samples: Samples, floor: Samples): number {
	return round(median(samples) - median(floor));
}

/** Half of all rounds lie within so many nanoseconds. */
function spread(samples: Samples): number {
	return round(quantile(samples, 0.75) - quantile(samples, 0.25));
}
