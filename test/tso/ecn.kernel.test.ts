// CWR on real connections with ECN (RFC 3168): where it stands in the segments of a superpacket, from the kernel's GSO and from the program. That of
// AccECN, which needs a later kernel, is in test/vm/tso.test.ts. About 5 seconds.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { endChild, waitForLine } from "../harness/command.ts";
import { haveRoot, skipUnless } from "../harness/feature.ts";
import { type NetworkNamespace, openNamespace } from "../harness/namespace.ts";
import { buildTools, type Tools } from "./build.ts";
import type { Hook } from "./differential.ts";
import { attach, switchOff, transferWithin } from "./live.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-tso-"));
let tools: Tools;

beforeAll(async () => {
	tools = await buildTools(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Seen {
	readonly superpackets: number;
	readonly first: number;
	readonly all: number;
	readonly other: number;
}

/** Sends over lo, one packet in 50 marked as having met congestion. */
async function sendWithCongestion(netns: NetworkNamespace, hook: Hook): Promise<Seen> {
	const watch = netns.spawn(tools.ecn_watch, [tools.watch, hook, "lo"], {
		stdio: ["pipe", "pipe", "inherit"],
	});
	try {
		await waitForLine(watch, /^watching$/);
		const { sent, received } = await transferWithin(tools, netns, "127.0.0.1", "30000000");
		expect(received).toMatchObject({ bytes: sent.bytes, hash: sent.hash });
		const line = waitForLine(watch, /^\{/);
		watch.stdin?.end();
		return JSON.parse(await line) as Seen;
	} finally {
		await endChild(watch);
	}
}

test.for(["tcx", "clsact"] as const)("CWR is the first segment's (%s)", async (hook, context) => {
	skipUnless(context, haveRoot());
	await using netns = await openNamespace("tso-ecn");
	await netns.sysctl("net.ipv4.tcp_ecn", "1");
	await netns.run("ip", ["link", "set", "lo", "mtu", "1500"]);
	await switchOff(tools, { netns, device: "lo" }, "tso");
	const byKernel = await sendWithCongestion(netns, hook);
	expect(byKernel).toEqual({ ...byKernel, first: byKernel.superpackets, all: 0, other: 0 });
	expect(byKernel.superpackets).toBeGreaterThan(5);

	await using attached = await attach(tools, { netns, device: "lo" }, { hook });
	const byProgram = await sendWithCongestion(netns, hook);
	expect(byProgram).toEqual({ ...byProgram, first: byProgram.superpackets, all: 0, other: 0 });
	expect(byProgram.superpackets).toBeGreaterThan(5);
	// Each segment ran it, none was left to the kernel.
	expect(await attached.end()).toBeGreaterThan(30_000_000 / 1448);
});
