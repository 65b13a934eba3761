// The health window on a real kernel: what runs while it is open is counted, and what is bad is not there afterwards.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { skipUnlessKernel } from "#test/harness/feature.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { LOADER, openRealWorld } from "#test/harness/loader-world.ts";
import { goodGeneration, readHealth } from "./health.ts";
import { openHost } from "./host.ts";
import { install } from "./install.ts";
import { withLock } from "./lock.ts";
import { upgrade } from "./upgrade.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});
beforeEach((context) => skipUnlessKernel(context));

/** One packet for `kfn-load replay`: its length, no flags, its bytes. */
const PACKET = Buffer.concat([Buffer.from([64, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(64, 2)]);

test("a check that sends packets passes, and they are counted; one that fails brings the old program back", async () => {
	await using world = await openRealWorld(samples.key);
	const scope = `netns:${await world.addNamespace()}`;
	const packets = join(world.root, "packets");
	writeFileSync(packets, Buffer.concat([PACKET, PACKET, PACKET]));
	const replay = `${LOADER} --root ${world.root} replay flow-dissector ${scope} <${packets}`;
	const watched = (script: string) =>
		openHost({
			root: world.root,
			loader: LOADER,
			health: () => ({ seconds: 0.1, check: { argv: ["sh", "-c", script], timeoutSeconds: 30 } }),
		});
	const { health } = await withLock(watched(replay), "install", (lock) =>
		install(lock, { bundle: samples.v1.archive, scope }),
	);
	expect(health?.counters).toMatchObject([{ scope, runs: 3 }]);
	expect(readHealth(watched(""), 1)).toMatchObject({ state: "good", by: "window", counters: [{ runs: 3 }] });

	const [before] = (await world.loader.inspect([])).pins;
	const change = withLock(watched(`${replay}; exit 9`), "upgrade", (lock) =>
		upgrade(lock, { bundle: samples.v2.archive }),
	);
	await expect(change).rejects.toMatchObject({
		code: "HOST_HEALTH_FAILED",
		details: { generation: 2, check: { exit: 9, output: expect.stringContaining('"packets":3') } },
	});
	const [after] = (await world.loader.inspect([])).pins;
	expect(after?.link).toEqual(before?.link);
	expect(after?.programs[0]?.kernelTag).toBe(before?.programs[0]?.kernelTag);
	expect(goodGeneration(watched(""))).toBe(1);
});
