// The flow dissector with parameters, all the way: bundle, plan, loader, kernel; what then runs is what the oracle says.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import type { Config } from "#bundle/config.ts";
import { openHost } from "#host/host.ts";
import { install } from "#host/install.ts";
import { withLock } from "#host/lock.ts";
import { replay } from "#host/replay.ts";
import { status } from "#host/status.ts";
import { skipUnlessKernel } from "#test/harness/feature.ts";
import { LOADER } from "#test/harness/loader-world.ts";
import { DEFAULT_CONFIG, type DissectorConfig } from "../dissector/config.ts";
import { UDP_TUNNELS } from "../dissector/corpus-tunnel.ts";
import { questionsOf } from "../dissector/native.ts";
import { expectation } from "../dissector/oracle.ts";
import { readVectors } from "../dissector/vectors.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

beforeEach((context) => skipUnlessKernel(context));

async function openTrustingWorld(): Promise<HostWorld> {
	const world = await openHostWorld("config");
	await world.kfn("trust", "add", "flow-dissector", "--key", "publisher.key.pub");
	return world;
}

const installWith = (world: HostWorld, config: Config) =>
	withLock(openHost({ root: world.root.path, loader: LOADER }), "install", (lock) => {
		const bundle = readFileSync(join(world.folder, "flow-dissector-1.0.1.kfn"));
		return install(lock, { bundle, scope: world.scope, config });
	});

test("ports and patched shapes of the plan are what runs", async () => {
	await using world = await openTrustingWorld();
	const config: DissectorConfig = {
		...DEFAULT_CONFIG,
		vxlan_ports: [4789, 8472],
		geneve_ports: [6081],
		patch: ["pppoe-pfc"],
	};
	const { vxlan_ports, geneve_ports, patch } = config;
	expect(await installWith(world, { vxlan_ports, geneve_ports, patch })).toMatchObject({ generation: 1 });
	const host = openHost({ root: world.root.path, loader: LOADER });
	const packets = [...UDP_TUNNELS, ...questionsOf(readVectors())].filter(({ data }) => data.length < 2000);
	const answers = [];
	for await (const answer of replay(host, { function: "flow-dissector", packets })) answers.push(answer);
	expect(answers.map(({ retval, out }) => ({ retval, out: out.toString("hex") }))).toEqual(
		packets.map(({ data, flags }) => expectation(data, flags, config)),
	);
});

test("what the function or its program does not take is refused, and nothing is active", async () => {
	await using world = await openTrustingWorld();
	const code = (config: Config) =>
		installWith(world, config).then(
			() => "installed",
			(error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
		);
	// The list fits its type, but the program has places for four.
	expect(await code({ vxlan_ports: [1, 2, 3, 4, 5] })).toBe("BUNDLE_CONFIG_TOO_MANY");
	expect(await code({ vxlan_ports: [65536] })).toBe("BUNDLE_CONFIG_INVALID");
	expect(await code({ vxlan_port: [4789] })).toBe("BUNDLE_CONFIG_INVALID");
	expect(await code({ patch: ["everything"] })).toBe("BUNDLE_CONFIG_INVALID");
	expect(await code({ patch: ["tipc", "pppoe-pfc"] })).toBe("BUNDLE_CONFIG_INVALID");
	const host = openHost({ root: world.root.path, loader: LOADER });
	expect(await status(host)).toMatchObject({ generation: 0, functions: [] });
});
