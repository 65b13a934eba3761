// What a device makes of superpackets next to what the program makes of them, by the loader: a device that runs the same source agrees
// in every byte, one that lies does not, one that segments nothing is named as such. About 15 seconds.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LoaderError } from "#host/errors.ts";
import { spawnLoader } from "#host/loader.ts";
import type { ObserveAnswer } from "#host/loader-answers.ts";
import { type Plan, parsePlan } from "#host/plan.ts";
import { run } from "../harness/command.ts";
import { skipUnlessKernel } from "../harness/feature.ts";
import { type NetworkNamespace, openNamespace } from "../harness/namespace.ts";
import { type KfnRoot, openRoot } from "../harness/root.ts";
import { buildNic, DEVICE, type NicTools, openNic, PEER } from "./nic.ts";

const TOP = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "kfn-observe-"));
const stack = new AsyncDisposableStack();
let tools: NicTools;
let root: KfnRoot;
let netns: NetworkNamespace;
let plan: Plan;

beforeAll(async () => {
	tools = await buildNic(folder);
	root = stack.use(await openRoot("observe"));
	netns = stack.use(await openNamespace("observe"));
	const env = { ...process.env, KFN_ROOT: root.path, KFN_PASSPHRASE: "of a key that lives for one test" };
	const kfn = (...args: string[]) => run(join(TOP, "node_modules/.bin/kfn"), args, { cwd: folder, env });
	await kfn("key", "generate", "--out", "publisher.key");
	await kfn("build", join(TOP, "packages/tso"), "--key", "publisher.key");
	await kfn("trust", "add", "tso", "--key", "publisher.key.pub");
	await using _nic = await openNic(tools, netns);
	await kfn("install", "tso-1.0.0.kfn", "--scope", `dev:${DEVICE}@${netns.path}`);
	plan = parsePlan(readFileSync(join(root.path, "var/lib/kfn/current/plan.json"), "utf8"));
});
afterAll(async () => {
	await stack.disposeAsync();
	rmSync(folder, { recursive: true });
});

const scopeOf = (device: string) => `dev:${device}@${netns.path}`;

const observe = (device: string, peer: string, seed = 7): Promise<ObserveAnswer> =>
	spawnLoader(join(TOP, "build/kfn-load"), root.path).observe(plan, scopeOf(device), scopeOf(peer), seed);

const ethtool = async (device: string) => (await netns.run("ethtool", ["--json", "-k", device])).stdout;

describe("what a device makes of superpackets", () => {
	test("is the program's, byte for byte, where it runs the same source", async (context) => {
		await skipUnlessKernel(context);
		await using _nic = await openNic(tools, netns);
		const before = [await ethtool(DEVICE), await ethtool(PEER)];
		const answer = await observe(DEVICE, PEER, Date.now() % 2 ** 31);
		expect(answer).toMatchObject({ superpackets: 64, mtu: 1500, differences: [] });
		expect(answer.segments).toBeGreaterThan(400);
		expect([await ethtool(DEVICE), await ethtool(PEER)]).toEqual(before);
		// Nothing was sent that a station of the network would take.
		expect((await netns.run("ip", ["neigh"])).stdout).toBe("");
	});

	test.for([
		["psh", 0],
		["id", 1],
	] as const)("is another's where it lies (%s)", async ([lie, segment], context) => {
		await skipUnlessKernel(context);
		await using _nic = await openNic(tools, netns, lie);
		const { differences } = await observe(DEVICE, PEER);
		expect(differences).toHaveLength(8);
		expect(differences[0]).toMatchObject({
			superpacket: "two segments (0)",
			what: "bytes",
			segments: 2,
			segment,
		});
		const { software, device } = differences[0]!;
		// The addresses count frames; behind them one place differs: the flags, or the id and the header's checksum.
		const at = (hex: string | null) => Buffer.from(hex!, "hex");
		const differing = [...at(software).keys()].filter((i) => i >= 12 && at(software)[i] !== at(device)[i]);
		expect(differing.filter((i) => i < 50)).toEqual(lie === "psh" ? [47] : [19, 25]);
	});

	test("is missing where the device does not segment what it is given", async (context) => {
		await skipUnlessKernel(context);
		await using _nic = await openNic(tools, netns);
		await netns.run("ethtool", ["-K", DEVICE, "tso", "off"]);
		const { differences } = await observe(DEVICE, PEER);
		expect(differences[0]).toMatchObject({ what: "missing", segment: 0, device: null });
	});

	test("is whole where the device only passes it on, as veth does", async (context) => {
		await skipUnlessKernel(context);
		await netns.run("ip", ["link", "add", "v0", "type", "veth", "peer", "name", "v1"]);
		for (const device of ["v0", "v1"]) await netns.run("ip", ["link", "set", device, "up"]);
		expect((await observe("v0", "v1")).differences[0]).toMatchObject({ what: "whole" });
		await netns.run("ip", ["link", "set", "v1", "down"]);
		await expect(observe("v0", "v1")).rejects.toMatchObject({ code: "LOAD_NO_WIRE" });
		await expect(observe("v0", "gone")).rejects.toMatchObject({ code: "LOAD_DEVICE_GONE" });
	});

	test("is not asked of a plan that cannot be tried so", async (context) => {
		await skipUnlessKernel(context);
		const loader = spawnLoader(join(TOP, "build/kfn-load"), root.path);
		const twice = { ...plan, functions: [] };
		const refused = loader.observe(twice, scopeOf(DEVICE), scopeOf(PEER), 1);
		await expect(refused).rejects.toBeInstanceOf(LoaderError);
		await expect(refused).rejects.toMatchObject({ code: "LOAD_USAGE" });
	});
});
