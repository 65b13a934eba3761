// Golden sessions of an operator: the real command line, registry, loader and kernel, in a namespace of its own.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { skipUnlessKernel } from "../harness/feature.ts";
import { runSession } from "../harness/session.ts";
import { CLI, MASKS, PASSPHRASE } from "../sessions/world.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

/** A session is some twenty starts of the command line, on a machine that may be busy. */
const SLOW = { timeout: 300_000 };

test("an operator's session", SLOW, async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("session", { pinned: false });
	await session(world, "host", ["1.root.json", "publisher.key.pub", "gre.pcap", "flow-dissector-1.0.0.kfn"]);
});

test("a step down by the publisher's permit, with the real loader", SLOW, async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("permit");
	const bundles = ["flow-dissector-1.0.0.kfn", "flow-dissector-1.0.1.kfn"];
	await session(world, "permit", ["publisher.key", "publisher.key.pub", ...bundles]);
});

test("a fleet follows the published permit away from a yanked version", SLOW, async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("fleet");
	await session(world, "permit-fleet", ["publisher.key", "publisher.key.pub"]);
});

test("unattended upgrades", SLOW, async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("auto");
	await session(world, "auto", []);
});

test("a release comes by channels: tried first, promoted, taken back", SLOW, async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("channel");
	await session(world, "channel", ["publisher.key"]);
});

async function session(world: HostWorld, golden: string, files: readonly string[]): Promise<void> {
	await runSession({
		file: join(import.meta.dirname, `../sessions/kernel/${golden}.golden`),
		cli: CLI,
		masks: [
			...MASKS,
			{ pattern: /\d+ vectors/g, name: "[N] vectors" },
			{ pattern: /Linux \d\S*/g, name: "Linux [RELEASE]" },
			{ pattern: /\d+ MiB/g, name: "[N] MiB" },
			{ pattern: /instructions: \+\d+ -\d+/g, name: "instructions: +[N] -[N]" },
			{ pattern: /\b[0-9a-f]{32}\b/g, name: "[ID]" },
		],
		env: {
			KFN_ROOT: world.root.path,
			KFN_REGISTRY: world.registry,
			KFN_PASSPHRASE: PASSPHRASE,
			KFN_TOKEN: world.env["KFN_TOKEN"] ?? "",
			SCOPE: world.scope,
		},
		literals: { ROOT: world.root.path, SCOPE: world.scope },
		files: Object.fromEntries(files.map((name) => [name, readFileSync(join(world.folder, name))])),
	});
}
