// One TCP stream over a veth wire whose superpackets are cut by the program, by the kernel's software GSO, or never made (segmentation
// off): throughput and processor time per segment, alternating, for several gso_max_size. Nothing here says what a NIC does.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerUndo } from "../harness/cleanup.ts";
import { openVethPair, type VethPair } from "../harness/veth.ts";
import { buildTools, type Tools } from "../tso/build.ts";
import { attach, roundTrip, switchOff, transfer } from "../tso/live.ts";
import { type BenchRow, median, round } from "./row.ts";

const SIZES = [7_000, 15_000, 30_000, 65_536];
const ROUNDS = 5;
const SECONDS = "1s";
const ROUND_TRIPS = 20_000;

interface Sample {
	readonly gigabits: number;
	/** Processor time of both ends; the wire's work is done within it. */
	readonly nsPerSegment: number;
}

type Way = "program" | "gso" | "none";
const PEERS = { gso: "kernel software GSO", none: "segmentation off" } as const;

export async function run(report: (row: BenchRow) => void): Promise<void> {
	await using stack = new AsyncDisposableStack();
	const folder = mkdtempSync(join(tmpdir(), "kfn-bench-tso-"));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	stack.defer(() => undo.run());
	const tools = await buildTools(folder);
	const pairs: Record<Way, VethPair> = {
		program: stack.use(await openVethPair("bench-tso")),
		gso: stack.use(await openVethPair("bench-tso")),
		// Not by a feature: TCP makes superpackets for a device without GSO, too, and has them cut in software.
		none: stack.use(await openVethPair("bench-tso", { segmentation: false })),
	};
	stack.use(await attach(tools, pairs.program.left, { counted: false }));
	await switchOff(tools, pairs.gso.left, "tso");
	await switchOff(tools, pairs.none.left, "tso");
	for (const size of SIZES) for (const row of await compare(tools, pairs, size)) report(row);
	for (const row of await latency(tools, pairs)) report(row);
}

async function compare(tools: Tools, pairs: Record<Way, VethPair>, size: number): Promise<BenchRow[]> {
	const samples: Record<Way, Sample[]> = { program: [], gso: [], none: [] };
	for (const { left } of Object.values(pairs)) {
		await left.netns.run("ip", ["link", "set", left.device, "gso_max_size", String(size)]);
	}
	for (let i = 0; i < ROUNDS; i++) {
		for (const way of ["program", "gso", "none"] as const) samples[way].push(await sample(tools, pairs[way]));
	}
	const middle = (way: Way, field: keyof Sample) => round(median(samples[way].map((one) => one[field])));
	return (["gso", "none"] as const).flatMap((peer): BenchRow[] => {
		const base = {
			bench: "tso",
			case: `gso_max_size ${size}, against ${PEERS[peer]}`,
			peerName: PEERS[peer],
		};
		return [
			{
				...base,
				metric: "Gbit/s",
				ours: middle("program", "gigabits"),
				peer: middle(peer, "gigabits"),
				better: "higher",
			},
			{
				...base,
				metric: "CPU ns/segment",
				ours: middle("program", "nsPerSegment"),
				peer: middle(peer, "nsPerSegment"),
			},
		];
	});
}

async function sample(tools: Tools, pair: VethPair): Promise<Sample> {
	const { sent, received, packets } = await transfer(tools, pair, pair.right.ipv4, SECONDS, "plain");
	if (received.bytes !== sent.bytes) throw new Error(`${received.bytes} of ${sent.bytes} bytes arrived`);
	return {
		gigabits: (received.bytes * 8) / received.seconds / 1e9,
		nsPerSegment: ((sent.cpuSeconds + received.cpuSeconds) * 1e9) / packets,
	};
}

/** One byte there and back: packets that are no superpackets pass the program, too. */
async function latency(tools: Tools, pairs: Record<Way, VethPair>): Promise<BenchRow[]> {
	const times: Record<"program" | "gso", number[]> = { program: [], gso: [] };
	for (let i = 0; i < ROUNDS; i++) {
		for (const way of ["program", "gso"] as const) {
			times[way].push(await roundTrip(tools, pairs[way], pairs[way].right.ipv4, ROUND_TRIPS));
		}
	}
	return [
		{
			bench: "tso",
			case: "round trip of one byte (TCP_RR)",
			metric: "µs",
			ours: round(median(times.program) / 1000),
			peer: round(median(times.gso) / 1000),
			peerName: "no program",
		},
	];
}
