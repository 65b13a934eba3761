// TCP in tunnels, feature by feature as tools/testing/selftests/drivers/net/hw/tso.py has them: below a tunnel the program leaves superpackets to the
// kernel, whole and untouched, and in front of one it segments them. Every byte arrives. About 20 seconds.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Have, haveRoot, type Skippable, skipUnless } from "../harness/feature.ts";
import { type Endpoint, openVethPair, type VethPair } from "../harness/veth.ts";
import { buildTools, type Tools } from "./build.ts";
import { attach, switchOff, tcpCounter, transfer } from "./live.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-tso-"));
const BYTES = "30000000";
let tools: Tools;

beforeAll(async () => {
	tools = await buildTools(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

type Family = "ipv4" | "ipv6";

/** tso.py's test_info: what the outer packet is, and how the device is made. */
const TUNNELS = [
	["vxlan", "ipv4", "vxlan", ["id", "100", "dstport", "4789", "noudpcsum"]],
	["vxlan", "ipv6", "vxlan", ["id", "100", "dstport", "4789", "udp6zerocsumtx", "udp6zerocsumrx"]],
	["vxlan_csum", "ipv4", "vxlan", ["id", "100", "dstport", "4789", "udpcsum"]],
	["vxlan_csum", "ipv6", "vxlan", ["id", "100", "dstport", "4789", "udpcsum"]],
	["gre", "ipv4", "gre", []],
	["gre", "ipv6", "ip6gre", []],
] as const;
const CASES = TUNNELS.flatMap(([name, outer, kind, args]) =>
	(["ipv4", "ipv6"] as const).map((inner) => ({ name, outer, inner, kind, args })),
);
type Case = (typeof CASES)[number];

/** Inside the tunnel, a name, addresses that the wire does not have, and no packets but the test's. */
const DEVICE = "tunnel0";
const INNER = {
	ipv4: ["192.0.2.1/24", "192.0.2.2/24"],
	ipv6: ["2001:db8:1::1/64", "2001:db8:1::2/64"],
} as const;

async function openTunnel(own: Endpoint, other: Endpoint, { outer, inner, kind, args }: Case, n: 0 | 1) {
	const ip = (...words: string[]) => own.netns.run("ip", words);
	const ends = ["local", own[outer], "remote", other[outer], "dev", own.device];
	await ip("link", "add", DEVICE, "type", kind, ...args, ...ends);
	await ip("link", "set", DEVICE, "up");
	const nodad = inner === "ipv6" ? ["nodad"] : [];
	await ip("address", "add", INNER[inner][n], "dev", DEVICE, ...nodad);
}

async function openTunnels(pair: VethPair, one: Case): Promise<string> {
	await openTunnel(pair.left, pair.right, one, 0);
	await openTunnel(pair.right, pair.left, one, 1);
	return INNER[one.inner][1].split("/")[0]!;
}

/** Whether this kernel makes such devices. */
async function haveDevice(pair: VethPair, kind: string): Promise<Have> {
	const probe = [
		"link",
		"add",
		"probe0",
		"type",
		kind,
		...(kind === "vxlan" ? ["id", "1", "dstport", "1"] : []),
	];
	const { code, stderr } = await pair.left.netns.run("ip", probe, { allowFailure: true });
	if (code !== 0) return { have: stderr.includes("Unknown device type") ? "no" : "unknown", reason: stderr };
	await pair.left.netns.run("ip", ["link", "del", "probe0"]);
	return { have: "yes", reason: kind };
}

/** A kernel without such devices is as good as another: elsewhere than there nothing is skipped. */
function skipWithout(context: Skippable, { have, reason }: Have): void {
	if (have === "unknown") throw new Error(`could not tell whether this can run: ${reason}`);
	if (have === "no") context.skip(reason);
}

const arrivesWhole = async (pair: VethPair, address: string) => {
	const done = await transfer(tools, pair, address, BYTES);
	expect(done.received).toMatchObject({ bytes: done.sent.bytes, hash: done.sent.hash });
	for (const { netns } of [pair.left, pair.right]) expect(await tcpCounter(netns, "InCsumErrors")).toBe(0);
	return done;
};

const shown = ({ name, outer, inner }: Case) => [`${name} on ${outer}, TCP on ${inner}`] as const;
const NAMED = CASES.map((one) => [...shown(one), one] as const);

describe("below a tunnel superpackets are left to the kernel", () => {
	test.for(NAMED)("%s", async ([, one], context) => {
		skipUnless(context, haveRoot());
		await using pair = await openVethPair("tso-tunnel");
		skipWithout(context, await haveDevice(pair, one.kind));
		const address = await openTunnels(pair, one);
		await switchOff(tools, pair.right, "rx");
		await using attached = await attach(tools, pair.left, { off: ["tso", "tx"] });
		const { packets, sent } = await arrivesWhole(pair, address);
		expect(packets).toBeGreaterThan(sent.bytes / 1448);
		// A superpacket that it had segmented would have run it once more for each segment.
		expect((await attached.end()) / packets).toBeLessThan(0.5);
	});
});

describe("in front of a tunnel they are segmented", () => {
	test.for(NAMED.filter(([, { kind }]) => kind === "vxlan"))("%s", async ([, one], context) => {
		skipUnless(context, haveRoot());
		await using pair = await openVethPair("tso-tunnel");
		skipWithout(context, await haveDevice(pair, one.kind));
		const address = await openTunnels(pair, one);
		await switchOff(tools, pair.right, "rx");
		await using attached = await attach(tools, { netns: pair.left.netns, device: DEVICE });
		const { packets } = await arrivesWhole(pair, address);
		expect((await attached.end()) / packets).toBeGreaterThan(0.99);
	});
});

describe("without a tunnel they are segmented", () => {
	test.for(["ipv4", "ipv6"] as const)("TCP on %s", async (family: Family, context) => {
		skipUnless(context, haveRoot());
		await using pair = await openVethPair("tso-tunnel");
		await using attached = await attach(tools, pair.left);
		const { packets } = await arrivesWhole(pair, pair.right[family]);
		expect((await attached.end()) / packets).toBeGreaterThan(0.99);
	});
});
