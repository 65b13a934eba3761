// Scopes that describe many namespaces, through the verbs: what is planned stays the pattern, what is told is each place. On a fake
// kernel; scopes.kernel.test.ts and test/kernel/patterns have the real one.
import { beforeAll, expect, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { applyState } from "./apply.ts";
import { readApplied, readCurrentPlan } from "./generations.ts";
import { install } from "./install.ts";
import { preflight } from "./preflight.ts";
import { remove } from "./remove.ts";
import { rollback } from "./rollback.ts";
import { parseScope } from "./scope.ts";
import { status } from "./status.ts";
import { upgrade } from "./upgrade.ts";
import { verifyRunning } from "./verify-running.ts";

const ALL = "netns:/run/netns/*";
const GREEN = "netns:/run/netns/green";
let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

const add = (fake: FakeHost, bundle: Uint8Array, scope: string) =>
	fake.locked((lock) => install(lock, { bundle, scope }));
const appear = (fake: FakeHost, scope: string) => fake.kernel.addNamespace(scope.slice("netns:".length));
const running = (fake: FakeHost) => fake.kernel.running().map((line) => line.split(" ").slice(1).join(" "));

test("installs everywhere, tells every place, and says what it takes for those to come", async () => {
	using fake = openFakeHost(samples);
	const report = await add(fake, samples.v1.archive, ALL);
	expect(report.functions).toMatchObject([
		{ scope: BLUE, planned: ALL, step: "attach" },
		{ scope: RED, planned: ALL, step: "attach" },
	]);
	expect(report.warnings).toEqual([expect.stringContaining("kfn boot enable")]);
	expect(readCurrentPlan(fake.host).functions.map(({ scope }) => scope)).toEqual([ALL]);
	expect(readApplied(fake.host, 1)?.functions.map(({ scope }) => scope)).toEqual([BLUE, RED]);
	const seen = await status(fake.host);
	expect(seen).toMatchObject({
		health: "good",
		functions: [
			{ scope: BLUE, planned: ALL, running: true },
			{ scope: RED, planned: ALL, running: true },
		],
	});
	expect((await fake.locked(() => verifyRunning(fake.host))).functions).toHaveLength(2);
});

test("a place that appears is drift until the same install attaches it; one that ends is none", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, ALL);
	appear(fake, GREEN);
	expect((await status(fake.host)).drift).toMatchObject([{ kind: "not-pinned", scope: GREEN }]);
	const report = await add(fake, samples.v1.archive, ALL);
	expect(report).toMatchObject({ changed: false, generation: 1 });
	expect(report.functions).toContainEqual(expect.objectContaining({ scope: GREEN, step: "attach" }));
	fake.kernel.endNamespace("/run/netns/red");
	expect(await status(fake.host)).toMatchObject({ health: "good", drift: [] });
	const upgraded = await fake.locked((lock) => upgrade(lock, { bundle: samples.v2.archive }));
	expect(upgraded.detached).toMatchObject([{ scope: RED, bundle: "sample" }]);
	expect(running(fake)).toEqual([`${BLUE} 1.1.0`, `${GREEN} 1.1.0`]);
});

test("upgrade, rollback and remove go everywhere", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, ALL);
	await fake.locked((lock) => upgrade(lock, { bundle: samples.v2.archive }));
	expect(running(fake)).toEqual([`${BLUE} 1.1.0`, `${RED} 1.1.0`]);
	await fake.locked((lock) => rollback(lock));
	expect(running(fake)).toEqual([`${BLUE} 1.0.0`, `${RED} 1.0.0`]);
	const gone = await fake.locked((lock) => remove(lock, { name: "sample" }));
	expect(gone.detached).toMatchObject([
		{ scope: BLUE, version: "1.0.0" },
		{ scope: RED, version: "1.0.0" },
	]);
	expect(running(fake)).toEqual([]);
});

test("a name goes before a pattern", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, ALL);
	const report = await add(fake, samples.v2.archive, RED);
	expect(report.functions).toMatchObject([
		{ scope: BLUE, planned: ALL, version: "1.0.0", step: "keep" },
		{ scope: RED, planned: RED, version: "1.1.0", step: "replace" },
	]);
	expect((await status(fake.host)).health).toBe("good");
	await fake.locked((lock) => remove(lock, { name: "sample", scope: RED }));
	expect(running(fake)).toEqual([`${BLUE} 1.0.0`, `${RED} 1.0.0`]);
});

test("overlapping patterns are refused before anything changes, by install, apply and preflight", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, ALL);
	const refusal = { code: "HOST_SCOPE_OVERLAP", details: { other: { scope: ALL } } };
	await expect(add(fake, samples.v1.archive, "netns:/run/netns/b*")).rejects.toMatchObject(refusal);
	const one = { bundle: "sample", version: "1.0.0", set: {}, offered: undefined };
	const offered = { archive: samples.v1.archive, permits: {}, raisesFloor: false };
	const entries = [
		{ ...one, scope: parseScope(ALL) },
		{ ...one, scope: parseScope("netns:/run/netns/b*"), offered },
	];
	await expect(fake.locked((lock) => applyState(lock, { entries }))).rejects.toMatchObject(refusal);
	const scope = "netns:/run/netns/r*";
	const report = await fake.locked((lock) => preflight(lock, { bundle: samples.v1.archive, scope }));
	expect(report.functions).toMatchObject([{ hook: { have: "no", reason: expect.stringContaining(ALL) } }]);
	expect(readCurrentPlan(fake.host).generation).toBe(1);
});

test("a foreign program in one of the places is explained with the place", async () => {
	using fake = openFakeHost(samples);
	fake.kernel.attachForeign("/run/netns/red");
	const report = await fake.locked((lock) => preflight(lock, { bundle: samples.v1.archive, scope: ALL }));
	expect(report.functions).toMatchObject([
		{ hook: { have: "no", reason: expect.stringContaining("foreign") } },
	]);
	await expect(add(fake, samples.v1.archive, ALL)).rejects.toMatchObject({ code: "LOAD_FOREIGN_PROGRAM" });
	expect(running(fake)).toEqual([]);
});

test("nothing matches: it is as it should be, and says so", async () => {
	using fake = openFakeHost(samples);
	const scope = "netns:/run/netns/none-*";
	const report = await add(fake, samples.v1.archive, scope);
	expect(report.functions).toMatchObject([{ scope, step: "unmatched" }]);
	expect(await status(fake.host)).toMatchObject({
		health: "good",
		functions: [{ scope, running: true, programs: [] }],
	});
});

test("a device for a function of namespaces, and no scope at all, are refused before anything is stored", async () => {
	using fake = openFakeHost(samples);
	await expect(add(fake, samples.v1.archive, "dev:eth0")).rejects.toMatchObject({
		code: "HOST_SCOPE_UNSUPPORTED",
		hint: expect.stringContaining("netns:"),
	});
	await expect(add(fake, samples.v1.archive, "none")).rejects.toMatchObject({
		code: "HOST_SCOPE_UNSUPPORTED",
	});
	await expect(add(fake, samples.v1.archive, "eth0")).rejects.toMatchObject({ code: "HOST_SCOPE_MALFORMED" });
});
