// Every durable write and every step between two of them, on a fake kernel: kill -9 in a real child process, a failure,
// a failure that was written after all, a full disk. The kernel test does the kills with the real loader.
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FakeKernel, fakeLoader, fakeNamespaces } from "#test/harness/fake-kfn-load.ts";
import type { HostCommand } from "#test/harness/host-child.ts";
import {
	bundleChild,
	type CrashCase,
	type CrashRoot,
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
const RED = "netns:/run/netns/red";

let folder: string;
let child: string;
let samples: Samples;
const versions = new Map<string, string>();

beforeAll(async () => {
	folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "kfn-crash-"));
	samples = await makeSamples();
	for (const sample of [samples.v1, samples.v2]) writeFileSync(archiveOf(sample.version), sample.archive);
	child = await bundleChild("host-child");
	await makeTemplates();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each<[string, string, HostCommand, string[], string[]]>([
	[
		"install on an empty host",
		"empty",
		{ verb: "install", archive: "1.0.0", scope: BLUE },
		[],
		[`${BLUE} 1.0.0`],
	],
	["upgrade", "one", { verb: "upgrade", archive: "1.1.0" }, [`${BLUE} 1.0.0`], [`${BLUE} 1.1.0`]],
	["rollback", "two", { verb: "rollback", to: 1 }, [`${BLUE} 1.1.0`], [`${BLUE} 1.0.0`]],
	["remove --purge", "two", { verb: "remove", name: "sample", purge: true }, [`${BLUE} 1.1.0`], []],
])("%s", (name, template, command, before, after) => {
	const crash = (): CrashCase => ({
		...{ name, before, after, versions },
		command: "archive" in command ? { ...command, archive: archiveOf(command.archive) } : command,
		prepare: async () => copyOf(template),
	});

	test("kill -9 at each point", async () => {
		const points = await pointsOf(crash());
		expect(points).toContain("loader apply");
		// The health window: what it watches runs already, and the old generation is still the truth.
		if (after.length > 0)
			expect(points.indexOf("loader apply")).toBeLessThan(points.lastIndexOf("loader watch"));
		// Writing the store entry is the same in an install as in the upgrade, which goes through all of it.
		const [first, last] = [points.indexOf("create kfn.json"), points.indexOf("rename into store")];
		const kills = killsOf(points).filter(({ at }) => command.verb !== "install" || at <= first || at > last);
		await inParallel(kills, 3, ({ at, kind }) => killAt(crash(), at, kind, child));
	});

	test.each(["fail", "fail-after", "full"] as const)("%s at each point", async (kind) => {
		const points = await pointsOf(crash());
		await inParallel([...points.keys()], 3, (i) => failAt(crash(), i + 1, kind));
	});
});

/** Three starting points: nothing installed; 1.0.0; 1.0.0 upgraded to 1.1.0. */
async function makeTemplates(): Promise<void> {
	const root = join(folder, "template-empty");
	cpSync(join(import.meta.dirname, "layout.ts"), join(root, "etc/unrelated"), { recursive: true });
	trustKeys(root, ["sample"], [samples.key]);
	const kernel = FakeKernel.boot(root);
	for (const scope of [BLUE, RED]) kernel.addNamespace(scope.slice("netns:".length));
	const grown = (name: string) => {
		cpSync(join(folder, "template-empty"), join(folder, `template-${name}`), { recursive: true });
		const at = join(folder, `template-${name}`);
		const own = new FakeKernel(at);
		return openHost({ root: at, loader: fakeLoader(own), namespaces: fakeNamespaces(own) });
	};
	for (const [name, count] of [
		["one", 1],
		["two", 2],
	] as const) {
		const host = grown(name);
		await withLock(host, "install", (lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
		versions.set((await tagOf(host)) ?? "", "1.0.0");
		if (count === 1) continue;
		await withLock(host, "upgrade", (lock) => upgrade(lock, { bundle: samples.v2.archive }));
		versions.set((await tagOf(host)) ?? "", "1.1.0");
	}
	expect([...versions.keys()]).not.toContain("");
}

async function tagOf(host: ReturnType<typeof openHost>): Promise<string | null | undefined> {
	return (await status(host)).functions[0]?.programs[0]?.kernelTag;
}

function copyOf(template: string): CrashRoot {
	const path = mkdtempSync(join(folder, "root-"));
	cpSync(join(folder, `template-${template}`), path, { recursive: true, verbatimSymlinks: true });
	return {
		path,
		loader: "fake",
		[Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }),
	};
}

function archiveOf(version: string): string {
	return join(folder, `sample-${version}.kfn`);
}
