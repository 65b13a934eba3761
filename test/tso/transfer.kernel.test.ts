// Real TCP through the program: every byte arrives, also where checksums are made and checked in software, packets are lost, and
// the MTU changes under way. About 30 seconds; KFN_TSO_MEGABYTES makes the long transfers longer.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { haveRoot, skipUnless } from "../harness/feature.ts";
import { openVethPair, type VethPair } from "../harness/veth.ts";
import { buildTools, type Tools } from "./build.ts";
import { type Attached, attach, switchOff, type Transfer, tcpCounter, transfer } from "./live.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-tso-"));
const MEGABYTES = Number(process.env["KFN_TSO_MEGABYTES"] ?? 500);
let tools: Tools;

beforeAll(async () => {
	tools = await buildTools(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const bytes = (megabytes: number) => String(megabytes * 1_000_000);

/** Whole, and segmented by the program: of a superpacket that the kernel segments it would have seen one packet only. */
async function expectOurs(attached: Attached, { sent, received, packets }: Transfer): Promise<void> {
	expect(received).toMatchObject({ bytes: sent.bytes, hash: sent.hash });
	const runs = await attached.end();
	expect(runs / packets).toBeGreaterThan(0.99);
}

async function expectNoBadChecksum({ left, right }: VethPair): Promise<void> {
	for (const { netns } of [left, right]) expect(await tcpCounter(netns, "InCsumErrors")).toBe(0);
}

describe("TCP that the program segments", () => {
	test.for(["ipv4", "ipv6"] as const)("over %s arrives whole", async (family, context) => {
		skipUnless(context, haveRoot());
		await using pair = await openVethPair("tso-live");
		await using attached = await attach(tools, pair.left);
		const done = await transfer(tools, pair, pair.right[family], bytes(MEGABYTES));
		await expectOurs(attached, done);
		// At most 1,448 bytes of payload are in a packet.
		expect(done.packets).toBeGreaterThan(done.sent.bytes / 1448);
	});

	test.for([
		["ipv4", "tcx"],
		["ipv6", "clsact"],
	] as const)(
		"over %s (%s) has good checksums where the receiver checks each",
		async ([family, hook], context) => {
			skipUnless(context, haveRoot());
			await using pair = await openVethPair("tso-live");
			await switchOff(tools, pair.right, "rx", "tx");
			await using attached = await attach(tools, pair.left, { hook, off: ["tso", "tx"] });
			const done = await transfer(tools, pair, pair.right[family], bytes(MEGABYTES / 5));
			await expectNoBadChecksum(pair);
			await expectOurs(attached, done);
		},
	);

	test("with segments of 9,000 bytes", async (context) => {
		skipUnless(context, haveRoot());
		await using pair = await openVethPair("tso-live");
		for (const { netns, device } of [pair.left, pair.right])
			await netns.run("ip", ["link", "set", device, "mtu", "9000"]);
		await using attached = await attach(tools, pair.left);
		const done = await transfer(tools, pair, pair.right.ipv4, bytes(MEGABYTES / 5));
		await expectOurs(attached, done);
		expect(done.sent.bytes / done.packets).toBeGreaterThan(6000);
	});
});

describe("what goes wrong on the way is TCP's to mend", () => {
	test("a queue that overflows loses segments, and they are sent again", async (context) => {
		skipUnless(context, haveRoot());
		await using pair = await openVethPair("tso-live");
		const { netns, device } = pair.left;
		const shape = ["rate", "400mbit", "burst", "40k", "limit", "30k"];
		await netns.run("tc", ["qdisc", "add", "dev", device, "root", "tbf", ...shape]);
		await using attached = await attach(tools, pair.left);
		const { sent, received } = await transfer(tools, pair, pair.right.ipv4, bytes(40));
		expect(received).toMatchObject({ bytes: sent.bytes, hash: sent.hash });
		expect(await tcpCounter(netns, "RetransSegs")).toBeGreaterThan(0);
		expect(await attached.end()).toBeGreaterThan(sent.bytes / 1448);
	});

	test("the MTU changes under way", async (context) => {
		skipUnless(context, haveRoot());
		await using pair = await openVethPair("tso-live");
		const { netns, device } = pair.left;
		await pair.right.netns.run("ip", ["link", "set", pair.right.device, "mtu", "9000"]);
		await using attached = await attach(tools, pair.left);
		const running = transfer(tools, pair, pair.right.ipv4, bytes(MEGABYTES / 2));
		let changes = 0;
		let over = false;
		const ended = running.finally(() => {
			over = true;
		});
		while (!over) {
			const mtu = ["1500", "1280", "9000", "1400"][changes++ % 4]!;
			await netns.run("ip", ["link", "set", device, "mtu", mtu]);
		}
		const { sent, received } = await ended;
		expect(received).toMatchObject({ bytes: sent.bytes, hash: sent.hash });
		expect(changes).toBeGreaterThan(4);
		expect(await attached.end()).toBeGreaterThan(0);
	});

	test("the program comes and goes under way", async (context) => {
		skipUnless(context, haveRoot());
		await using pair = await openVethPair("tso-live");
		await switchOff(tools, pair.left, "tso");
		let over = false;
		const running = transfer(tools, pair, pair.right.ipv6, bytes(MEGABYTES / 2)).finally(() => {
			over = true;
		});
		let runs = 0;
		let times = 0;
		while (!over) {
			await using attached = await attach(tools, pair.left);
			runs += await attached.end();
			times++;
		}
		const { sent, received } = await running;
		expect(received).toMatchObject({ bytes: sent.bytes, hash: sent.hash });
		expect(times).toBeGreaterThan(1);
		expect(runs).toBeGreaterThan(0);
	});
});
