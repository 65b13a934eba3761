// Golden sessions of an operator: the real command line, registry, loader and kernel, in a namespace of its own.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { skipUnlessKernel } from "../harness/feature.ts";
import { runSession } from "../harness/session.ts";
import { CLI, MASKS, PASSPHRASE } from "../sessions/world.ts";
import { type HostWorld, openHostWorld } from "./world.ts";

/** 1.0.0 does not skip the key of GRE. */
const GRE_ADVISORY = {
	id: "x_TEST-2026-0001",
	summary: "GRE with a key: all packets of a tunnel are one flow",
	affected: [
		{
			ranges: [{ type: "SEMVER", events: [{ introduced: "0" }, { fixed: "1.0.1" }] }],
			database_specific: {
				kfn: { bundle: "flow-dissector", function: "flow-dissector", abi: 1, tags: [] },
			},
		},
	],
	database_specific: { kfn: { kind: "bundle", names: ["flow-dissector"] } },
};
/** In every kernel, whatever the machine runs. */
const HOOK_ADVISORY = {
	id: "x_TEST-2026-0002",
	aliases: ["CVE-2026-98950"],
	summary: "the hook itself",
	affected: [
		{
			package: { ecosystem: "Linux", name: "Kernel" },
			ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }] }],
			database_specific: { kfn: { function: "flow-dissector" } },
		},
	],
	database_specific: { kfn: { kind: "kernel-only", names: ["flow-dissector"] } },
};
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

test("security patches", SLOW, async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("security");
	const documents = { "gre.osv.json": GRE_ADVISORY, "hook.osv.json": HOOK_ADVISORY };
	for (const [name, document] of Object.entries(documents))
		writeFileSync(join(world.folder, name), JSON.stringify(document));
	await session(world, "security", ["publisher.key", ...Object.keys(documents)]);
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
