// What kfn history tells of a host's generations, and what a rollback without a number goes to; on a fake kernel.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples, signedSample } from "#test/harness/host-world.ts";
import { markBad } from "./health.ts";
import { history } from "./history.ts";
import { install } from "./install.ts";
import { remove } from "./remove.ts";
import { rollback } from "./rollback.ts";
import { upgrade } from "./upgrade.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/formats/history.md"), "utf8");
let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

const add = (fake: FakeHost, bundle: Uint8Array, scope: string) =>
	fake.locked((lock) => install(lock, { bundle, scope }));
const up = (fake: FakeHost, bundle: Uint8Array) => fake.locked((lock) => upgrade(lock, { bundle }));

test("each generation says what it changed, newest first", async () => {
	using fake = openFakeHost(samples);
	expect(history(fake.host)).toEqual({ generation: 0, generations: [] });
	await add(fake, samples.v1.archive, BLUE);
	await add(fake, samples.v1.archive, RED);
	await up(fake, samples.v2.archive);
	await fake.locked((lock) => remove(lock, { name: "sample", scope: RED }));
	const { generations } = history(fake.host);
	expect(generations.map(({ generation, current }) => [generation, current])).toEqual([
		[4, true],
		[3, false],
		[2, false],
		[1, false],
	]);
	const told = generations.map(({ changes }) =>
		changes?.map(({ change, scope, from, to }) => [change, scope, from?.version, to?.version]),
	);
	expect(told).toEqual([
		[["removed", RED, "1.1.0", undefined]],
		[
			["changed", BLUE, "1.0.0", "1.1.0"],
			["changed", RED, "1.0.0", "1.1.0"],
		],
		[["added", RED, undefined, "1.0.0"]],
		[["added", BLUE, undefined, "1.0.0"]],
	]);
});

test("parameters that changed are told with both values", async () => {
	using fake = openFakeHost(samples);
	const bundle = (await signedSample({ version: "1.0.0", places: 2, signers: [samples.key] })).archive;
	await add(fake, bundle, BLUE);
	await fake.locked((lock) => install(lock, { bundle, scope: BLUE, config: { ports: [7] } }));
	const [newest] = history(fake.host).generations;
	expect(newest?.changes).toMatchObject([
		{ change: "changed", parameters: [{ name: "ports", from: [], to: [7] }] },
	]);
});

test("a generation whose plan is gone or damaged hides no other, and nothing is guessed about it", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	await up(fake, samples.v2.archive);
	await up(fake, samples.v3.archive);
	await fake.locked((lock) => rollback(lock, { to: 2 }));
	rmSync(fake.host.layout.generation(1), { recursive: true });
	writeFileSync(fake.host.layout.plan(3), "{ damaged");
	const { generations } = history(fake.host);
	expect(generations.map(({ generation, reason, changes }) => [generation, reason, changes])).toEqual([
		[4, "rollback to generation 2", null],
		[3, null, null],
		[2, "upgrade sample 1.0.0 → 1.1.0", null],
	]);
});

test("rollback without a number passes what is bad and what ran the same", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	await up(fake, samples.v2.archive);
	await up(fake, samples.v3.archive);
	await fake.locked((lock) => markBad(lock, 2, { by: "operator", reason: "a test" }));
	expect(history(fake.host).generations.map(({ good, mark }) => [good, mark])).toEqual([
		[true, "good"],
		[false, "bad"],
		[false, "good"],
	]);
	const back = () => fake.locked((lock) => rollback(lock));
	expect(await back()).toMatchObject({ generation: 4, reason: "rollback to generation 1" });
	await fake.locked((lock) => markBad(lock, 3, { by: "operator", reason: "a test" }));
	await expect(back()).rejects.toMatchObject({ code: "HOST_NO_GENERATION", hint: /kfn rollback 0/ });
	expect(await fake.locked((lock) => rollback(lock, { to: 2 }))).toMatchObject({ generation: 5 });
	expect(await back()).toMatchObject({ generation: 6, reason: "rollback to generation 4" });
});

test("docs/formats/history.md shows what is printed", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	await up(fake, samples.v2.archive);
	const [, text] = /```json history\n(.*?)```/s.exec(PAGE) ?? [];
	const report = history(fake.host);
	const newest = { ...report, generations: report.generations.slice(0, 1) };
	const masked = (value: unknown) => JSON.stringify(value, null, 2).replaceAll(/\b[0-9a-f]{64}\b/g, "DIGEST");
	expect(masked(newest)).toBe(masked(JSON.parse(text ?? "")));
});
