import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { bpfObject } from "./bpf-object.ts";
import { skipUnlessKernel } from "./feature.ts";
import { PROBE, watchHook } from "./hash-oracle.ts";
import type { NetworkNamespace } from "./namespace.ts";
import { encapsulatedFrames, sendFrames, startFrames } from "./traffic.ts";
import { openVethPair } from "./veth.ts";

beforeEach(async (context) => {
	await skipUnlessKernel(context);
});

const SOURCE = join(import.meta.dirname, "hash_oracle_dissector.bpf.c");

/** Attaches one of the tiny dissectors to the namespace that it is run in: never call it without one. */
async function attach(netns: NetworkNamespace, program: "finds" | "nothing" | "leaves"): Promise<void> {
	// The mounted bpffs is private to this one shell (ip netns exec): its pins go when it ends.
	const script = `
		mount -t bpf bpf /sys/fs/bpf
		bpftool prog loadall "$1" /sys/fs/bpf/kfn-try type flow_dissector
		bpftool prog attach pinned "/sys/fs/bpf/kfn-try/$2" flow_dissector`;
	await netns.run("sh", ["-eu", "-c", script, "attach", await bpfObject(SOURCE), program]);
}

async function detach(netns: NetworkNamespace): Promise<void> {
	// bpftool 7.1 writes its list of dissectors as JSON that no parser reads.
	const { stdout } = await netns.run("bpftool", ["net"]);
	const id = /flow_dissector:\s+id (\d+)/.exec(stdout)?.[1];
	if (id === undefined) throw new Error(`no dissector is attached: ${stdout}`);
	await netns.run("bpftool", ["prog", "detach", "id", id, "flow_dissector"]);
}

describe("the hash of a VLAN-tagged packet", () => {
	it("is the C dissector's where there is no program", async () => {
		await using pair = await openVethPair("none");
		const watch = await watchHook(pair.right);
		await sendFrames(pair.left, PROBE, { times: 50 });
		expect(await watch.countsOf(100)).toEqual({ bpf: 0, c: 100, other: 0, total: 100 });
	});

	it("differs where a BPF program dissects, and equals that of the untagged packet", async () => {
		await using pair = await openVethPair("finds");
		await attach(pair.right.netns, "finds");
		const watch = await watchHook(pair.right);
		await sendFrames(pair.left, PROBE, { times: 50 });
		expect(await watch.countsOf(100)).toEqual({ bpf: 100, c: 0, other: 0, total: 100 });
	});

	it("is neither where a BPF program finds something else", async () => {
		await using pair = await openVethPair("nothing");
		await attach(pair.right.netns, "nothing");
		const watch = await watchHook(pair.right);
		await sendFrames(pair.left, PROBE, { times: 50 });
		expect(await watch.countsOf(100)).toEqual({ bpf: 0, c: 0, other: 100, total: 100 });
	});

	it("is the C dissector's where the program answers CONTINUE", async () => {
		await using pair = await openVethPair("leaves");
		await attach(pair.right.netns, "leaves");
		const watch = await watchHook(pair.right);
		await sendFrames(pair.left, PROBE, { times: 50 });
		expect(await watch.countsOf(100)).toEqual({ bpf: 0, c: 100, other: 0, total: 100 });
	});

	it("is that of the receiving namespace: a program at the sender changes nothing", async () => {
		await using pair = await openVethPair("sender");
		await attach(pair.left.netns, "finds");
		const watch = await watchHook(pair.right);
		await sendFrames(pair.left, PROBE, { times: 50 });
		expect(await watch.countsOf(100)).toEqual({ bpf: 0, c: 100, other: 0, total: 100 });
	});
});

describe("a watch", () => {
	it("sees the gap when a program goes away under traffic, and misses no packet", async () => {
		await using pair = await openVethPair("gap");
		const watch = await watchHook(pair.right);
		const stream = await startFrames(pair.left, PROBE, 2_000);
		await watch.countsOf(20);
		await attach(pair.right.netns, "finds");
		const attached = await watch.counts();
		await watch.countsOf(attached.total + 50);
		await detach(pair.right.netns);
		const detached = await watch.counts();
		await watch.countsOf(detached.total + 50);
		const sent = await stream.stop();
		const counts = await watch.countsOf(sent);
		expect(counts).toMatchObject({ other: 0, total: sent });
		expect(counts.bpf).toBeGreaterThanOrEqual(50);
		expect(counts.c).toBeGreaterThanOrEqual(70);
		expect(detached.c - attached.c).toBeLessThan(counts.c);
	});

	it("counts other traffic apart", async () => {
		await using pair = await openVethPair("other");
		const watch = await watchHook(pair.right);
		const frames = encapsulatedFrames(pair).map((frame) => frame.bytes);
		await sendFrames(pair.left, [...frames, ...PROBE]);
		const total = frames.length + PROBE.length;
		expect(await watch.countsOf(total)).toEqual({ bpf: 0, c: PROBE.length, other: frames.length, total });
	});

	it("does not wait for ever", async () => {
		await using pair = await openVethPair("late");
		const watch = await watchHook(pair.right);
		await expect(watch.countsOf(1, 50)).rejects.toThrow("0 of 1 packets after 50 ms");
	});
});
