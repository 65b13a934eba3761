// Swaps the flow dissector of a namespace 10,000 times while frames arrive: how long one swap takes, and how many runs of
// the hook saw no program. The peer is what a tool without BPF_LINK_UPDATE does: detach, attach.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerUndo } from "../harness/cleanup.ts";
import { PROBE, watchHook } from "../harness/hash-oracle.ts";
import { buildSwapTool, type SwapMode, type SwapTool, startSwapping } from "../harness/swapping.ts";
import { startFrames } from "../harness/traffic.ts";
import { openVethPair } from "../harness/veth.ts";
import { type BenchRow, median, quantile, round } from "./row.ts";

const SWAPS = 10_000;
const FRAMES_PER_SECOND = 150_000;

interface Outcome {
	readonly nanoseconds: readonly number[];
	readonly packets: number;
	/** Packets that the kernel's own dissector took: the hook had no program. */
	readonly without: number;
}

export async function run(report: (row: BenchRow) => void): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), "kfn-bench-swap-"));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	try {
		const tool = await buildSwapTool(folder);
		const ours = await swapUnderTraffic(tool, "update");
		const peer = await swapUnderTraffic(tool, "reattach");
		for (const row of rows(ours, peer)) report(row);
		if (ours.without > 0) throw new Error(`${ours.without} runs of the hook saw no program`);
	} finally {
		undo.run();
	}
}

function rows(ours: Outcome, peer: Outcome): BenchRow[] {
	const microseconds = (outcome: Outcome, q: number) => round(quantile(outcome.nanoseconds, q) / 1000);
	const base = { bench: "swap", peerName: "detach and attach", swaps: SWAPS };
	return [
		{
			...base,
			case: "median",
			metric: "µs/swap",
			ours: round(median(ours.nanoseconds) / 1000),
			peer: microseconds(peer, 0.5),
		},
		{
			...base,
			case: "p99",
			metric: "µs/swap",
			ours: microseconds(ours, 0.99),
			peer: microseconds(peer, 0.99),
		},
		{
			...base,
			case: "without a program",
			metric: "packets",
			ours: ours.without,
			peer: peer.without,
			packets: ours.packets,
			peerPackets: peer.packets,
		},
	];
}

async function swapUnderTraffic(tool: SwapTool, mode: SwapMode): Promise<Outcome> {
	await using pair = await openVethPair("bench-swap");
	await using swapping = await startSwapping(tool, pair.right, SWAPS, mode);
	// From here to the end of the traffic a program is attached, unless a swap leaves a gap.
	const watch = await watchHook(pair.right);
	const frames = await startFrames(pair.left, PROBE, FRAMES_PER_SECOND);
	const nanoseconds = await swapping.swap();
	const sent = await frames.stop();
	const seen = await watch.countsOf(sent);
	return { nanoseconds, packets: seen.bpf + seen.c, without: seen.c };
}
