// kfn gc, killed, failed and out of space at every durable write: what runs goes on, what stays is whole, and the next run ends the work.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FakeKernel, fakeLoader, fakeNamespaces } from "#test/harness/fake-kfn-load.ts";
import {
	bundleChild,
	type CrashCase,
	failAt,
	inParallel,
	killAt,
	killsOf,
	pointsOf,
} from "#test/harness/host-crash.ts";
import { makeSamples, type Samples, trustKeys } from "#test/harness/host-world.ts";
import { openHost } from "./host.ts";
import { install } from "./install.ts";
import { withLock } from "./lock.ts";
import { status } from "./status.ts";
import { upgrade } from "./upgrade.ts";

const BLUE = "netns:/run/netns/blue";
let folder: string;
let child: string;
let samples: Samples;
let version: CrashCase["versions"];

beforeAll(async () => {
	folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "kfn-gc-"));
	samples = await makeSamples();
	child = await bundleChild("host-child");
	await makeTemplate();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Three generations of which one is to go, with its bundle, and what an interrupted command left. */
async function makeTemplate(): Promise<void> {
	const root = join(folder, "template");
	mkdirSync(root);
	trustKeys(root, ["sample"], [samples.key]);
	const kernel = FakeKernel.boot(root);
	kernel.addNamespace("/run/netns/blue");
	const host = openHost({ root, loader: fakeLoader(kernel), namespaces: fakeNamespaces(kernel) });
	await withLock(host, "install", (lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	for (const { archive } of [samples.v2, samples.v3])
		await withLock(host, "upgrade", (lock) => upgrade(lock, { bundle: archive }));
	mkdirSync(join(host.layout.tmp, "left"), { recursive: true });
	writeFileSync(join(host.layout.tmp, "left/file"), "left");
	const tag = (await status(host)).functions[0]?.programs[0]?.kernelTag;
	version = new Map([[tag ?? "", "2.0.0"]]);
}

const crash = (): CrashCase => ({
	...{ name: "gc", before: [`${BLUE} 2.0.0`], after: [`${BLUE} 2.0.0`], versions: version },
	command: { verb: "gc", keep: 0 },
	prepare: async () => {
		const path = mkdtempSync(join(folder, "root-"));
		cpSync(join(folder, "template"), path, { recursive: true, verbatimSymlinks: true });
		return {
			path,
			loader: "fake",
			[Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }),
		};
	},
});

test("kill -9 at each point", async () => {
	const points = await pointsOf(crash());
	expect(points).toEqual(expect.arrayContaining(["remove 1", `remove ${samples.v1.sha256}`, "remove left"]));
	await inParallel(killsOf(points), 3, ({ at, kind }) => killAt(crash(), at, kind, child));
});

test.each(["fail", "fail-after", "full"] as const)("%s at each point", async (kind) => {
	const points = await pointsOf(crash());
	await inParallel([...points.keys()], 3, (i) => failAt(crash(), i + 1, kind));
});
