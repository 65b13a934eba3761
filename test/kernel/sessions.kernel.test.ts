// The golden session of an operator: the real command line, registry, loader and kernel, in a namespace of its own.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { skipUnlessKernel } from "../harness/feature.ts";
import { runSession } from "../harness/session.ts";
import { CLI, MASKS } from "../sessions/world.ts";
import { openHostWorld } from "./world.ts";

test("an operator's session", async (context) => {
	await skipUnlessKernel(context);
	await using world = await openHostWorld("session");
	const files = ["publisher.key.pub", "gre.pcap", "flow-dissector-1.0.0.kfn"];
	await runSession({
		file: join(import.meta.dirname, "../sessions/kernel/host.golden"),
		cli: CLI,
		masks: [...MASKS, { pattern: /\d+ vectors/g, name: "[N] vectors" }],
		env: { KFN_ROOT: world.root.path, KFN_REGISTRY: world.registry, SCOPE: world.scope },
		literals: { ROOT: world.root.path, SCOPE: world.scope },
		files: Object.fromEntries(files.map((name) => [name, readFileSync(join(world.folder, name))])),
	});
});
