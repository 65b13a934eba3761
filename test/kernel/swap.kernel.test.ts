// 10,000 swaps under load: TCP connections over both families lose and reset nothing, and no packet meets a hook without a program.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { registerUndo } from "../harness/cleanup.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { PROBE, watchHook } from "../harness/hash-oracle.ts";
import { buildSwapTool, startSwapping } from "../harness/swapping.ts";
import { startFrames, startTcp } from "../harness/traffic.ts";
import { openVethPair, type VethPair } from "../harness/veth.ts";

const SWAPS = 10_000;
const FRAMES_PER_SECOND = 20_000;

/** TcpOutRsts and TcpEstabResets of a namespace (/proc/net/snmp, RFC 4022). */
async function resets({ right }: VethPair): Promise<number> {
	const { stdout } = await right.netns.run("cat", ["/proc/net/snmp"]);
	const [names, values] = stdout.split("\n").filter((line) => line.startsWith("Tcp:"));
	const columns = (names ?? "").split(" ");
	const value = (name: string) => Number((values ?? "").split(" ")[columns.indexOf(name)]);
	return value("OutRsts") + value("EstabResets");
}

test("10,000 swaps while TCP runs: no packet undissected, no connection reset, no byte lost", async (context) => {
	await skipUnlessKernel(context);
	const folder = mkdtempSync(join(tmpdir(), "kfn-swap-"));
	const undo = registerUndo(`folder ${folder}`, () => rmSync(folder, { recursive: true, force: true }));
	try {
		const tool = await buildSwapTool(folder);
		await using pair = await openVethPair("swap");
		await using swapping = await startSwapping(tool, pair.right, SWAPS, "update");
		const before = await resets(pair);
		const watch = await watchHook(pair.right);
		const streams = [
			await startTcp(pair, "ipv4"),
			await startTcp(pair, "ipv6"),
			await startTcp(pair, "ipv4"),
		];
		const frames = await startFrames(pair.left, PROBE, FRAMES_PER_SECOND);
		const nanoseconds = await swapping.swap();
		await frames.stop();
		const carried = await Promise.all(streams.map((stream) => stream.stop()));
		const seen = await watch.counts();
		expect(nanoseconds.length).toBe(SWAPS);
		expect(seen.c).toBe(0);
		expect(seen.bpf).toBeGreaterThan(0);
		for (const { sent, received } of carried) {
			expect(sent).toBeGreaterThan(0);
			expect(received).toBe(sent);
		}
		expect(await resets(pair)).toBe(before);
	} finally {
		undo.run();
	}
});
