import { beforeEach, describe, expect, it } from "vitest";
import { skipUnlessKernel } from "./feature.ts";
import { startSniffer } from "./sniff.ts";
import { encapsulatedFrames, sendFrames, sendTcp, startFrames, startTcp } from "./traffic.ts";
import { openVethPair } from "./veth.ts";

beforeEach(async (context) => {
	await skipUnlessKernel(context);
});

describe("TCP", () => {
	it.each(["ipv4", "ipv6"] as const)("over %s arrives whole and is seen on the wire", async (family) => {
		await using pair = await openVethPair("tcp", { segmentation: false });
		await using sniffer = await startSniffer(pair.right, { direction: "in", filter: "tcp" });
		const count = await sendTcp(pair, family, 300_000);
		expect(count).toMatchObject({ sent: 300_000, received: 300_000 });
		expect(count.sourcePort).toBeGreaterThan(0);
		const { packets } = await sniffer.stop();
		// At most 1,448 bytes a segment, as segmentation is off.
		expect(packets.length).toBeGreaterThan(200);
		expect(Math.max(...packets.map((packet) => packet.originalLength))).toBeLessThanOrEqual(1514);
	});

	it("streams until it is stopped", async () => {
		await using pair = await openVethPair("stream");
		await using sniffer = await startSniffer(pair.right, { direction: "in" });
		const stream = await startTcp(pair, "ipv4");
		await sniffer.waitFor(50);
		const count = await stream.stop();
		expect(count.received).toBeGreaterThan(50 * 1000);
		expect(count.received).toBe(count.sent);
		expect(count.destinationPort).toBe(stream.destinationPort);
	});
});

describe("a capture", () => {
	it("that is stopped at once holds every packet that had arrived", async () => {
		await using pair = await openVethPair("burst");
		await using sniffer = await startSniffer(pair.right, { direction: "in" });
		const frames = encapsulatedFrames(pair).map((frame) => frame.bytes);
		const sent = await sendFrames(pair.left, frames, { times: 50 });
		expect((await sniffer.stop()).packets).toHaveLength(sent);
	});
});

describe("frames", () => {
	it("arrive byte for byte at the other end, VLAN tags and GRE keys included", async () => {
		await using pair = await openVethPair("frames");
		const frames = encapsulatedFrames(pair).map((frame) => frame.bytes);
		await using sniffer = await startSniffer(pair.right);
		expect(await sendFrames(pair.left, frames, { times: 3 })).toBe(3 * frames.length);
		await sniffer.waitFor(3 * frames.length);
		const { packets, linkType } = await sniffer.stop();
		expect(linkType).toBe(1);
		const hex = (list: readonly Uint8Array[]) => list.map((bytes) => Buffer.from(bytes).toString("hex"));
		expect(hex(packets.map((packet) => packet.bytes))).toEqual(hex([...frames, ...frames, ...frames]));
	});

	it("flow until they are stopped, and every one of them arrives", async () => {
		await using pair = await openVethPair("flow");
		await using sniffer = await startSniffer(pair.right, { direction: "in" });
		const frames = encapsulatedFrames(pair).map((frame) => frame.bytes);
		const stream = await startFrames(pair.left, frames, 5_000);
		await sniffer.waitFor(100);
		const sent = await stream.stop();
		await sniffer.waitFor(sent);
		expect((await sniffer.stop()).packets).toHaveLength(sent);
	});

	it("fail where the device is not there", async () => {
		await using pair = await openVethPair("broken");
		const nowhere = { ...pair.left, device: "nowhere0" };
		await expect(sendFrames(nowhere, [new Uint8Array(60)])).rejects.toThrow(/nowhere0|ended with/);
	});

	it("that do not come within the time make a waiting test fail", async () => {
		await using pair = await openVethPair("silent");
		await using sniffer = await startSniffer(pair.right);
		await expect(sniffer.waitFor(1, 50)).rejects.toThrow("0 of 1 packets after 50 ms");
	});
});
