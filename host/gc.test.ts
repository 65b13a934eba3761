// What kfn gc removes, what it never does, and that a dry run says the same. On a fake kernel.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { gc, gcDryRun } from "./gc.ts";
import { generationNumbers } from "./generations.ts";
import { markBad } from "./health.ts";
import { install } from "./install.ts";
import { writeJournal } from "./journal.ts";
import { rollback } from "./rollback.ts";
import { status } from "./status.ts";
import { storedDigests } from "./store.ts";
import { upgrade } from "./upgrade.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/formats/history.md"), "utf8");
let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

/** 1: 1.0.0, 2: 1.1.0, 3: 2.0.0. */
async function threeGenerations(): Promise<FakeHost> {
	const fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	for (const { archive } of [samples.v2, samples.v3])
		await fake.locked((lock) => upgrade(lock, { bundle: archive }));
	return fake;
}

const collect = (fake: FakeHost, keep: number) => fake.locked((lock) => gc(lock, { keep }));

test("old generations go, then the bundles that only they needed, then leavings; a dry run says the same", async () => {
	using fake = await threeGenerations();
	const { layout } = fake.host;
	mkdirSync(join(layout.tmp, "left"));
	writeFileSync(join(layout.tmp, "left/file"), "12345");
	const dry = gcDryRun(fake.host, { keep: 1 });
	expect(generationNumbers(fake.host)).toEqual([1, 2, 3]);
	const report = await collect(fake, 1);
	expect({ ...dry, dryRun: false }).toEqual(report);
	const masked = (value: unknown) =>
		JSON.stringify(value).replaceAll(/\b[0-9a-f]{64}\b|(?<="bytes":)\d+/g, "MASKED");
	expect(masked(report)).toBe(masked(JSON.parse(/```json gc\n(.*?)```/s.exec(PAGE)?.[1] ?? "")));
	expect(report.bytes).toBeGreaterThan((report.bundles[0]?.bytes ?? 0) + 5);
	expect(generationNumbers(fake.host)).toEqual([2, 3]);
	expect(storedDigests(fake.host)).toEqual([samples.v2.sha256, samples.v3.sha256].sort());
	expect(readdirSync(layout.tmp)).toEqual([]);
	expect(await status(fake.host)).toMatchObject({ health: "good", generation: 3 });
	expect(await collect(fake, 1)).toMatchObject({ generations: [], bundles: [], bytes: 0 });
	expect(await fake.locked((lock) => rollback(lock))).toMatchObject({ generation: 4 });
});

test("the current, the previous and the last good generation stay, whatever is to be kept", async () => {
	using fake = await threeGenerations();
	await fake.locked((lock) => rollback(lock, { to: 2 }));
	await fake.locked((lock) => {
		for (const n of [4, 3, 2]) markBad(lock, n, { by: "operator", reason: "a test" });
	});
	expect(await collect(fake, 0)).toMatchObject({ generations: [2], kept: [1, 3, 4], bundles: [] });
});

test("the last generation with which a boot came up stays: the next boot may need it", async () => {
	using fake = await threeGenerations();
	const counter = { bootId: "a", current: 3, generation: 3, booted: 1, unfinished: [] };
	writeFileSync(fake.host.layout.bootCounter, JSON.stringify({ schema: "kfn.boot-counter/1", ...counter }));
	expect(gcDryRun(fake.host, { keep: 0 })).toMatchObject({ generations: [], kept: [1, 2, 3] });
	expect(await collect(fake, 0)).toMatchObject({ generations: [], kept: [1, 2, 3] });
});

test("ten stay unless fewer are asked for", async () => {
	using fake = await threeGenerations();
	expect(await collect(fake, 10)).toMatchObject({ generations: [], kept: [1, 2, 3], bytes: 0 });
	expect(gcDryRun(fake.host, { keep: 0 })).toMatchObject({ generations: [1], kept: [2, 3] });
});

test("what an interrupted change is about stays until recovery has settled it", async () => {
	using fake = await threeGenerations();
	await fake.locked((lock) => writeJournal(lock, { from: 1, to: 4 }));
	expect(gcDryRun(fake.host, { keep: 0 })).toMatchObject({ generations: [], kept: [1, 2, 3] });
	mkdirSync(fake.host.layout.generation(4));
	expect(gcDryRun(fake.host, { keep: 0 })).toMatchObject({ generations: [4] });
	expect(await collect(fake, 0)).toMatchObject({ generations: [1, 4], kept: [2, 3] });
});

test("while a generation that stays cannot be read, no bundle goes", async () => {
	using fake = await threeGenerations();
	writeFileSync(fake.host.layout.plan(2), "{ damaged");
	expect(gcDryRun(fake.host, { keep: 0 })).toMatchObject({ generations: [1], bundles: [] });
	expect(await collect(fake, 0)).toMatchObject({ generations: [1], bundles: [] });
	expect(storedDigests(fake.host)).toHaveLength(3);
});

test("a host without anything has nothing to free", async () => {
	using fake = openFakeHost(samples);
	expect(gcDryRun(fake.host, { keep: 0 })).toMatchObject({ generations: [], bundles: [], bytes: 0 });
	expect(await collect(fake, 0)).toMatchObject({ generations: [], bytes: 0 });
});
