// A disk that fills up: var/lib/kfn on a tmpfs of a few pages, with every amount of free space between none and enough.
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { run } from "#test/harness/command.ts";
import { skipUnlessKernel } from "#test/harness/feature.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { LOADER, openRealWorld } from "#test/harness/loader-world.ts";
import { HostError } from "./errors.ts";
import { type Host, openHost } from "./host.ts";
import { install } from "./install.ts";
import { withLock } from "./lock.ts";
import { status } from "./status.ts";
import { upgrade } from "./upgrade.ts";
import { verifyHost } from "./verify.ts";

const PAGE = 4096;
let samples: Samples;

beforeEach((context) => skipUnlessKernel(context));
beforeAll(async () => {
	samples = await makeSamples();
});

test("disk full at every page of an upgrade: HOST_DISK_FULL, and nothing is lost", async () => {
	await using world = await openRealWorld(samples.key);
	const scope = `netns:${await world.addNamespace()}`;
	const host = openHost({ root: world.root, loader: LOADER });
	mkdirSync(host.layout.state, { recursive: true });
	await run("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", host.layout.state]);
	await withLock(host, "install", (lock) => install(lock, { bundle: samples.v1.archive, scope }));
	const filler = join(host.layout.state, "filler");
	let full = 0;
	for (let pages = 0; ; pages++) {
		fill(host, filler, pages);
		const outcome = await withLock(host, "upgrade", (lock) =>
			upgrade(lock, { bundle: samples.v2.archive }),
		).catch((error: unknown) => error);
		if (!(outcome instanceof Error)) {
			expect(outcome).toMatchObject({ changed: true, generation: 2 });
			break;
		}
		expect(outcome, `${pages} pages free`).toBeInstanceOf(HostError);
		expect(outcome, `${pages} pages free`).toMatchObject({ code: "HOST_DISK_FULL", exit: 1 });
		await expectUntouched(host);
		full++;
	}
	expect(full).toBeGreaterThan(8);
	rmSync(filler);
	expect(await status(host)).toMatchObject({
		generation: 2,
		health: "good",
		functions: [{ version: "1.1.0" }],
	});
});

async function expectUntouched(host: Host): Promise<void> {
	expect(await status(host)).toMatchObject({
		...{ generation: 1, health: "good", drift: [] },
		functions: [{ version: "1.0.0", running: true }],
	});
	expect(await verifyHost(host)).toMatchObject({
		generation: 1,
		bundles: [{ version: "1.0.0", active: true }],
	});
}

/** Fills the file system up to `pages` free pages. */
function fill(host: Host, filler: string, pages: number): void {
	rmSync(filler, { force: true });
	const free = statfsSync(host.layout.state).bavail;
	writeFileSync(filler, Buffer.alloc((free - pages) * PAGE));
}
