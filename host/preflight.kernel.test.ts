// kfn preflight on a real kernel: what would be loaded is said with its reasons, and nothing is different afterwards.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { skipUnlessKernel } from "#test/harness/feature.ts";
import { makeSamples, type Samples, signedSample } from "#test/harness/host-world.ts";
import { openRealWorld } from "#test/harness/loader-world.ts";
import { currentGeneration } from "./generations.ts";
import { openHost } from "./host.ts";
import { install } from "./install.ts";
import { withLock } from "./lock.ts";
import { preflight } from "./preflight.ts";
import { storedDigests } from "./store.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});
beforeEach((context) => skipUnlessKernel(context));

test("ready, a failed vector, a foreign program, a damaged store: said with the reason, and nothing is attached", async () => {
	await using world = await openRealWorld(samples.key);
	const scope = `netns:${await world.addNamespace()}`;
	const host = openHost({ root: world.root, loader: world.loader });
	const run = (request: Parameters<typeof preflight>[1]) =>
		withLock(host, "preflight", (lock) => preflight(lock, request));

	const ready = await run({ bundle: samples.v1.archive, scope });
	expect(ready).toMatchObject({
		...{ ready: true, exit: 0, kernel: host.kernel, bpffs: { have: "yes" } },
		features: { "link:netns": { have: "yes" }, "prog_type:flow_dissector": { have: "yes" } },
		functions: [{ scope, loads: { have: "yes" }, vectors: 1, hook: { have: "yes", reason: "free" } }],
	});
	expect((await world.loader.inspect([])).pins).toEqual([]);
	expect([currentGeneration(host), storedDigests(host)]).toEqual([0, []]);

	const wrong = await signedSample({ version: "9.0.0", retval: 2, signers: [samples.key] });
	const failed = await run({ bundle: wrong.archive, scope });
	expect(failed).toMatchObject({
		...{ ready: false, exit: 1 },
		functions: [
			{
				loads: { have: "no" },
				vectors: null,
				error: { code: "LOAD_VECTOR_FAILED", details: { vector: "any" } },
			},
		],
	});

	await withLock(host, "install", (lock) => install(lock, { bundle: samples.v1.archive, scope }));
	expect(await run({})).toMatchObject({ ready: true, functions: [{ hook: { reason: /kfn's own/ } }] });
	const taken = await world.addNamespace();
	await world.attachForeign(taken);
	expect(await run({ bundle: samples.v2.archive, scope: `netns:${taken}` })).toMatchObject({
		...{ ready: false, exit: 0 },
		functions: [{ loads: { have: "yes" }, hook: { have: "no", reason: /which is not kfn's, holds it/ } }],
	});
	expect(await run({ bundle: samples.v2.archive, scope: "netns:/run/netns/kfn-none" })).toMatchObject({
		functions: [{ hook: { have: "no", reason: "the namespace does not exist" } }],
	});

	const entry = host.layout.storeEntry(samples.v1.sha256);
	rmSync(join(entry, "obj", readdirSync(join(entry, "obj"))[0]!));
	expect(await run({})).toMatchObject({
		ready: false,
		functions: [{ loads: { have: "no" }, verified: null }],
	});
	expect((await world.loader.inspect([])).pins).toMatchObject([{ scope, link: { alive: true } }]);
});
