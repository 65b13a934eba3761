// Tells which dissector looked at the packets that arrive in a namespace: the kernel's C one or a BPF one. Refuses to guess: a packet whose hash is neither is counted as `other`.
//
// The flow hash of a VLAN-tagged packet covers the VLAN id when the C dissector made the keys; `struct bpf_flow_keys` has
// no field for it, so every BPF dissector's hash is the one of the same packet without the tag. Both are measured on this
// kernel (the hash is keyed by a per-boot secret), not computed.
import { join } from "node:path";
import { bpfObject } from "./bpf-object.ts";
import { run } from "./command.ts";
import { requireTools } from "./feature.ts";
import { ethernet, ipv4, ipv6, type Layer, tcp, vlan } from "./frames.ts";
import { sendFrames } from "./traffic.ts";
import { type Endpoint, openVethPair } from "./veth.ts";

const SOURCE = join(import.meta.dirname, "hash_oracle.bpf.c");

/** Packets that arrived since the watch began, by who dissected them. Only PROBE frames are told apart. */
export interface HookCounts {
	/** Dissected by a BPF program that found addresses, protocols and ports right. */
	readonly bpf: number;
	/** Dissected by the kernel's C code: there was no program, or it answered CONTINUE. */
	readonly c: number;
	/** Anything else: other traffic, or a program that found something else. */
	readonly other: number;
	readonly total: number;
}

/** A count of arriving packets by flow hash; it lasts as long as the device. */
export interface HookWatch {
	counts(): Promise<HookCounts>;
	/** Counts once at least `total` packets have arrived; throws after `timeoutMs` (30,000 unless given). */
	countsOf(total: number, timeoutMs?: number): Promise<HookCounts>;
	/** Packets per distinct flow hash. */
	hashes(): Promise<ReadonlyMap<number, number>>;
}

/** The frames that a watch can tell apart: VLAN-tagged TCP over IPv4 and over IPv6. */
export const PROBE: readonly Uint8Array[] = probe((inner) => vlan(7, inner));

const UNTAGGED: readonly Uint8Array[] = probe((inner) => inner);

/** Attaches the counter to the ingress of an end's device (tc, clsact) and measures, once, what hashes to expect. */
export async function watchHook(at: Endpoint): Promise<HookWatch> {
	const [expected, hashes] = await Promise.all([calibration(), countHashes(at)]);
	const counts = async (): Promise<HookCounts> => {
		const result = { bpf: 0, c: 0, other: 0, total: 0 };
		for (const [hash, packets] of await hashes()) {
			result[expected.get(hash) ?? "other"] += packets;
			result.total += packets;
		}
		return result;
	};
	return {
		counts,
		hashes,
		async countsOf(total, timeoutMs = 30_000) {
			const deadline = AbortSignal.timeout(timeoutMs);
			for (;;) {
				const now = await counts();
				if (now.total >= total) return now;
				if (deadline.aborted) throw new Error(`${now.total} of ${total} packets after ${timeoutMs} ms`);
			}
		},
	};
}

let measured: Promise<ReadonlyMap<number, "bpf" | "c">> | undefined;

function calibration(): Promise<ReadonlyMap<number, "bpf" | "c">> {
	measured ??= calibrate();
	return measured;
}

/** Lets the C dissector hash the probe frames with and without their tag, in a namespace of their own. */
async function calibrate(): Promise<ReadonlyMap<number, "bpf" | "c">> {
	await using pair = await openVethPair("oracle");
	const hashes = await countHashes(pair.right);
	const expected = new Map<number, "bpf" | "c">();
	const kinds = [
		["c", PROBE],
		["bpf", UNTAGGED],
	] as const;
	for (const [kind, frames] of kinds) {
		for (const frame of frames) expected.set(await newHash(pair.left, frame, hashes), kind);
	}
	return expected;
}

/** Sends one frame and waits for the hash that was not there before. */
async function newHash(
	from: Endpoint,
	frame: Uint8Array,
	hashes: () => Promise<ReadonlyMap<number, number>>,
): Promise<number> {
	const before = await hashes();
	const total = sum(before) + 1;
	await sendFrames(from, [frame]);
	const deadline = AbortSignal.timeout(10_000);
	for (;;) {
		const now = await hashes();
		const [added] = [...now.keys()].filter((hash) => !before.has(hash));
		if (added !== undefined) return added;
		// Equal hashes would make the oracle blind: it would be wrong to go on.
		if (sum(now) >= total) throw new Error("two probe frames have the same flow hash on this kernel");
		if (deadline.aborted) throw new Error("a probe frame did not arrive");
	}
}

async function countHashes(at: Endpoint): Promise<() => Promise<ReadonlyMap<number, number>>> {
	requireTools("tc", "bpftool");
	const object = await bpfObject(SOURCE);
	const device = ["dev", at.device];
	await at.netns.run("tc", ["qdisc", "add", ...device, "clsact"]);
	const program = ["bpf", "direct-action", "object-file", object, "section", "tc"];
	await at.netns.run("tc", ["filter", "add", ...device, "ingress", ...program]);
	const { stdout } = await at.netns.run("tc", ["-j", "filter", "show", ...device, "ingress"]);
	const filters = JSON.parse(stdout) as { options?: { prog?: { id: number } } }[];
	const id = filters.find((filter) => filter.options?.prog !== undefined)?.options?.prog?.id;
	const shown = await run("bpftool", ["-j", "prog", "show", "id", String(id)]);
	const [map] = (JSON.parse(shown.stdout) as { map_ids: number[] }).map_ids;
	return async () => {
		const dump = await run("bpftool", ["-j", "map", "dump", "id", String(map)]);
		const entries = JSON.parse(dump.stdout) as { formatted: { key: number; value: number } }[];
		return new Map(entries.map(({ formatted }) => [formatted.key, formatted.value]));
	};
}

function probe(tag: (inner: Layer) => Layer): Uint8Array[] {
	const macs = { source: "02:00:5e:00:53:01", destination: "02:00:5e:00:53:02" };
	const web = tcp({ sourcePort: 40_007, destinationPort: 443, payload: Buffer.alloc(64, "kfn") });
	// No host has these addresses, so nothing answers.
	const v4 = ipv4({ source: "198.18.9.1", destination: "198.18.9.2" }, web);
	const v6 = ipv6({ source: "2001:db8:9::1", destination: "2001:db8:9::2" }, web);
	return [v4, v6].map((inner) => ethernet(macs, tag(inner)).bytes());
}

function sum(hashes: ReadonlyMap<number, number>): number {
	return [...hashes.values()].reduce((total, packets) => total + packets, 0);
}
