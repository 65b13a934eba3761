// The package as a bundle, through the command line: built, installed at a device under traffic, which it then segments, proved and
// removed under traffic, and nothing is lost; and at every device of a driver, swapped for the next version and back under traffic.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { skipUnlessKernel } from "../harness/feature.ts";
import { layTsoVersions } from "../harness/tso-bundles.ts";
import { type HostWorld, openHostWorld } from "../kernel/world.ts";
import { buildTools, packageFolder, type Tools } from "./build.ts";
import { switchOff, tcpCounter, transfer } from "./live.ts";

const folder = mkdtempSync(join(tmpdir(), "kfn-tso-"));
let tools: Tools;

beforeAll(async () => {
	tools = await buildTools(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Enough seconds for a swap and back, on a machine that has other work. */
const SWAP_SECONDS = "30s";

async function ok(world: HostWorld, ...args: string[]) {
	const { code, stdout, stderr } = await world.kfn(...args, "--json");
	expect(code, `${args.join(" ")}: ${stdout}${stderr}`).toBe(0);
	return JSON.parse(stdout);
}

test("a bundle at a device segments what is sent, from its installation to its removal", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("tso-bundle");
	const { left, right } = world.pair;
	const scope = `dev:${left.device}@${left.netns.path}`;
	await ok(world, "build", packageFolder, "--key", "publisher.key");
	await ok(world, "trust", "add", "tso", "--key", "publisher.key.pub");
	await switchOff(tools, left, "tso");

	const sending = transfer(tools, world.pair, right.ipv4, "6s");
	// Awaited below; where the test fails before that, its own failure counts.
	sending.catch(() => undefined);
	const installed = await ok(world, "install", "tso-1.0.0.kfn", "--scope", scope, "--health-window", "2");
	expect(installed.functions).toMatchObject([{ scope, step: "attach", verified: "loader", vectors: 3 }]);
	// Each superpacket runs it once, and each of its segments again.
	expect(installed.health.counters[0].runs).toBeGreaterThan(1000);
	expect(await ok(world, "status")).toMatchObject({ health: "good", functions: [{ scope, running: true }] });
	expect((await ok(world, "verify", "--running")).functions).toMatchObject([{ proof: "proved" }]);
	await ok(world, "remove", "tso");
	const { sent, received } = await sending;
	expect(received).toMatchObject({ bytes: sent.bytes, hash: sent.hash });
	expect(await tcpCounter(right.netns, "InCsumErrors")).toBe(0);
	expect(await ok(world, "status")).toMatchObject({ health: "good", functions: [] });
});

test("at every device of a driver, swapped under traffic, and back", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("tso-driver");
	const { left, right } = world.pair;
	const scope = `dev:driver=veth@${left.netns.path}`;
	const devices = [left.device, "more0", "more1"].map((name) => `dev:${name}@${left.netns.path}`).sort();
	const versions = layTsoVersions(world.folder);
	for (const folder of [versions.before, versions.after])
		await ok(world, "build", folder, "--key", "publisher.key");
	await ok(world, "trust", "add", "tso", "--key", "publisher.key.pub");
	await left.netns.run("ip", ["link", "add", "more0", "type", "veth", "peer", "name", "more1"]);
	await switchOff(tools, left, "tso");
	const steps = ({ functions }: { functions: { scope: string; planned: string; step: string }[] }) =>
		functions.map((entry) => [entry.scope, entry.planned, entry.step]).sort();
	const each = (step: string) => devices.map((device) => [device, scope, step]);

	let over = false;
	const sending = transfer(tools, world.pair, right.ipv6, SWAP_SECONDS).finally(() => {
		over = true;
	});
	sending.catch(() => undefined);
	const window = ["--health-window", "1"];
	expect(steps(await ok(world, "install", "tso-1.0.0.kfn", "--scope", scope, ...window))).toEqual(
		each("attach"),
	);
	const upgraded = await ok(world, "upgrade", "tso-1.0.1.kfn", ...window);
	expect(steps(upgraded)).toEqual(each("replace"));
	const runs = ({ health }: { health: { counters: { runs: number }[] } }) =>
		health.counters.reduce((sum, counter) => sum + counter.runs, 0);
	expect(runs(upgraded)).toBeGreaterThan(1000);
	const back = await ok(world, "rollback", ...window);
	expect(steps(back)).toEqual(each("replace"));
	expect(runs(back)).toBeGreaterThan(1000);
	expect(await ok(world, "status")).toMatchObject({ health: "good", drift: [] });
	// All three changes were under traffic.
	expect(over).toBe(false);
	await ok(world, "remove", "tso");
	const { sent, received } = await sending;
	expect(received).toMatchObject({ bytes: sent.bytes, hash: sent.hash });
	expect(await tcpCounter(right.netns, "InCsumErrors")).toBe(0);
});
