import { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples, signedSample, trustKeys } from "#test/harness/host-world.ts";
import { currentGeneration, generationNumbers, pointTo } from "./generations.ts";
import { goodGeneration, markBad, markGood, readHealth, recordGood } from "./health.ts";
import { install } from "./install.ts";
import { writeJournal } from "./journal.ts";
import { recover } from "./recover.ts";
import { remove } from "./remove.ts";
import { status } from "./status.ts";
import { upgrade } from "./upgrade.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

/** Generation 1 has sample 1.0.0, generation 2 has 1.1.0. */
async function upgraded(): Promise<FakeHost> {
	const fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	await fake.locked((lock) => upgrade(lock, { bundle: samples.v2.archive }));
	return fake;
}

const bad = { by: "boot", reason: "it did not come up" } as const;

test("a change marks its generation good, on this kernel", async () => {
	using fake = await upgraded();
	expect(readlinkSync(fake.host.layout.good)).toBe("generations/2");
	expect(readHealth(fake.host, 2)).toMatchObject({ state: "good", kernels: [fake.host.kernel] });
	expect(await status(fake.host)).toMatchObject({ generation: 2, good: 2, mark: { state: "good" } });
});

test("good on another kernel adds that kernel", async () => {
	using fake = await upgraded();
	const newer = { ...fake.host, kernel: "7.3.4" };
	await fake.locked((lock) =>
		markGood({ ...lock, fd: lock.fd, host: newer }, 2, { by: "boot", reason: "booted" }),
	);
	expect(readHealth(fake.host, 2)).toMatchObject({ by: "boot", kernels: [fake.host.kernel, "7.3.4"] });
});

test("where the good generation turns bad, the latest other good one takes its place, and then none", async () => {
	using fake = await upgraded();
	await fake.locked((lock) => markBad(lock, 2, bad));
	expect(await status(fake.host)).toMatchObject({
		generation: 2,
		good: 1,
		mark: { state: "bad", by: "boot" },
	});
	await fake.locked((lock) => markBad(lock, 1, bad));
	expect(goodGeneration(fake.host)).toBe(0);
	expect(existsSync(fake.host.layout.good)).toBe(false);
});

test("a change from a bad generation leads to a good one", async () => {
	using fake = await upgraded();
	await fake.locked((lock) => markBad(lock, 2, bad));
	await fake.locked((lock) => upgrade(lock, { bundle: samples.v3.archive }));
	expect(await status(fake.host)).toMatchObject({ generation: 3, good: 3 });
});

test("a kill between the commit and its mark: recovery completes the mark", async () => {
	using fake = await upgraded();
	await fake.locked((lock) => {
		rmSync(fake.host.layout.good);
		symlinkSync("generations/1", fake.host.layout.good);
		writeJournal(lock, { from: 1, to: 2 });
	});
	await fake.locked((lock) => recover(lock));
	expect(goodGeneration(fake.host)).toBe(2);
});

test("a kill before the commit: what was recorded of the new generation counts for nothing", async () => {
	using fake = await upgraded();
	await fake.locked((lock) => {
		recordGood(lock, 2, bad);
		pointTo(lock, 1);
		rmSync(fake.host.layout.good);
		writeJournal(lock, { from: 1, to: 2 });
	});
	await fake.locked((lock) => recover(lock));
	expect([goodGeneration(fake.host), ...generationNumbers(fake.host)]).toEqual([1, 1]);
});

test("a generation with a function that could not be proved again is not marked", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	const other = await signedSample({ name: "rival", version: "1.0.0", signers: [samples.key] });
	trustKeys(fake.host.layout.root, ["rival"], [samples.key]);
	await fake.locked((lock) => install(lock, { bundle: other.archive, scope: RED }));
	expect(await status(fake.host)).toMatchObject({ generation: 2, good: 1, mark: null });
});

test("a purge takes the good generation's bundle: the link goes on to one that stays", async () => {
	using fake = openFakeHost(samples);
	const other = await signedSample({ name: "rival", version: "1.0.0", signers: [samples.key] });
	trustKeys(fake.host.layout.root, ["sample", "rival"], [samples.key]);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	await fake.locked((lock) => install(lock, { bundle: other.archive, scope: RED }));
	await fake.locked((lock) => markBad(lock, 2, bad));
	await fake.locked((lock) => remove(lock, { name: "sample", purge: true }));
	expect([goodGeneration(fake.host), ...generationNumbers(fake.host)]).toEqual([3, 3]);
	await fake.locked((lock) => remove(lock, { name: "rival", purge: true }));
	expect([currentGeneration(fake.host), existsSync(fake.host.layout.good)]).toEqual([0, false]);
});

test.each(["../outside", "generations/7", "generations/x"])("a link to %s is no mark", async (target) => {
	using fake = await upgraded();
	rmSync(fake.host.layout.good);
	symlinkSync(target, fake.host.layout.good);
	expect(goodGeneration(fake.host)).toBe(0);
});

test("a mark that cannot be read is none, and a change makes a new one", async () => {
	using fake = await upgraded();
	writeFileSync(fake.host.layout.health(2), '{"schema":"kfn.health/1"}');
	expect(readHealth(fake.host, 2)).toBeUndefined();
	mkdirSync(fake.host.layout.generation(9), { recursive: true });
	await fake.locked((lock) => markGood(lock, 2, bad));
	expect(readHealth(fake.host, 2)).toMatchObject({ state: "good" });
});
