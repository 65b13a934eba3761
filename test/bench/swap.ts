// Swaps the flow dissector of a namespace 10,000 times while frames arrive: how long one swap takes, and how many runs of
// the hook saw no program. The peer is what a tool without BPF_LINK_UPDATE does: detach, attach.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { registerUndo } from "../harness/cleanup.ts";
import { endChild, run as runCommand } from "../harness/command.ts";
import { layDissectorVersions } from "../harness/dissector-bundles.ts";
import { PROBE, watchHook } from "../harness/hash-oracle.ts";
import { startFrames } from "../harness/traffic.ts";
import { openVethPair } from "../harness/veth.ts";
import { type BenchRow, median, quantile, round } from "./row.ts";

const SWAPS = 10_000;
const PAUSE_US = 20;
const FRAMES_PER_SECOND = 150_000;
const CLI = "node_modules/.bin/kfn";

type Mode = "update" | "reattach";

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
		const tool = await buildTool(folder);
		const objects = await buildObjects(folder);
		const ours = await swapUnderTraffic(tool, objects, "update");
		const peer = await swapUnderTraffic(tool, objects, "reattach");
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

async function buildTool(folder: string): Promise<string> {
	const tool = join(folder, "swap");
	const source = join(import.meta.dirname, "native/swap.c");
	await runCommand("gcc", ["-O2", "-Wall", "-Wextra", "-Werror", source, "-o", tool, "-lbpf"]);
	return tool;
}

async function buildObjects(folder: string): Promise<[string, string]> {
	const { before, after } = await layDissectorVersions(folder);
	const object = (dir: string, version: string) => {
		execFileSync(CLI, ["build", dir, "--out", `${folder}/`], { stdio: "ignore" });
		const out = join(folder, version);
		execFileSync("mkdir", [out]);
		execFileSync("tar", ["--zstd", "-xf", join(folder, `flow-dissector-${version}.kfn`), "-C", out]);
		return join(out, "obj/flow_dissector.bpf.o");
	};
	return [object(before, "1.0.0"), object(after, "1.0.1")];
}

async function swapUnderTraffic(tool: string, objects: readonly string[], mode: Mode): Promise<Outcome> {
	await using pair = await openVethPair("bench-swap");
	const args = [pair.right.netns.path, ...objects, String(SWAPS), String(PAUSE_US), mode];
	const child = pair.right.netns.spawn(tool, args, { stdio: ["pipe", "pipe", "inherit"] });
	try {
		const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
		await expectLine(lines, "attached");
		// From here to the end of the traffic a program is attached, unless a swap leaves a gap.
		const watch = await watchHook(pair.right);
		const frames = await startFrames(pair.left, PROBE, FRAMES_PER_SECOND);
		child.stdin!.write("\n");
		const nanoseconds = await figures(lines);
		const sent = await frames.stop();
		const seen = await watch.countsOf(sent);
		return { nanoseconds, packets: seen.bpf + seen.c, without: seen.c };
	} finally {
		child.stdin?.end();
		await endChild(child);
	}
}

async function expectLine(lines: AsyncIterator<string>, expected: string): Promise<void> {
	const { value } = await lines.next();
	if (value !== expected) throw new Error(`the swap tool said ${value}, not ${expected}`);
}

async function figures(lines: AsyncIterator<string>): Promise<number[]> {
	const nanoseconds: number[] = [];
	for (let next = await lines.next(); next.value !== "done"; next = await lines.next()) {
		if (next.done) throw new Error("the swap tool ended early");
		nanoseconds.push(Number(next.value));
	}
	if (nanoseconds.length !== SWAPS) throw new Error(`${nanoseconds.length} swaps, not ${SWAPS}`);
	return nanoseconds;
}
