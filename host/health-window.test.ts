// The health window of a change on a fake kernel: a bad change takes itself back, a good one is marked with what was seen.
import { beforeAll, expect, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { currentGeneration } from "./generations.ts";
import { type Counters, goodGeneration, readHealth } from "./health.ts";
import type { HealthSettings } from "./health-settings.ts";
import { badness } from "./health-window.ts";
import { install } from "./install.ts";
import { readJournal } from "./journal.ts";
import { withLock } from "./lock.ts";
import { readLog } from "./log.ts";
import { remove } from "./remove.ts";
import { rollback } from "./rollback.ts";
import { upgrade } from "./upgrade.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

const answers = (over: Partial<NonNullable<Counters["verdicts"]>>) => ({
	...{ ok: 0, drop: 0, continue: 0, other: 0 },
	...over,
});
const SHORT: HealthSettings = { seconds: 0.01, check: undefined };
const checked = (argv: readonly string[], timeoutSeconds = 30): HealthSettings => ({
	seconds: 0.01,
	check: { argv, timeoutSeconds },
});

/** 1.0.0 runs, and its successor answers so. */
async function upgraded(
	settings: HealthSettings,
	before: Partial<NonNullable<Counters["verdicts"]>>,
	after: Partial<NonNullable<Counters["verdicts"]>>,
): Promise<{ fake: FakeHost; outcome: PromiseSettledResult<Awaited<ReturnType<typeof upgrade>>> }> {
	const fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	fake.kernel.change((state) => {
		state.answers = { "1.0.0": answers(before), "1.1.0": answers(after) };
	});
	const host = { ...fake.host, health: () => settings };
	const [outcome] = await Promise.allSettled([
		withLock(host, "upgrade", (lock) => upgrade(lock, { bundle: samples.v2.archive })),
	]);
	return { fake, outcome };
}

/** What a change that was taken back leaves: the old generation, running, good, and the reason in the log. */
function expectTakenBack(fake: FakeHost, outcome: PromiseSettledResult<unknown>, message: RegExp): void {
	expect(outcome).toMatchObject({ status: "rejected", reason: { code: "HOST_HEALTH_FAILED", exit: 1 } });
	expect((outcome as PromiseRejectedResult).reason.message).toMatch(message);
	expect([currentGeneration(fake.host), goodGeneration(fake.host)]).toEqual([1, 1]);
	expect(fake.kernel.running()).toEqual([`flow-dissector ${BLUE} 1.0.0`]);
	expect(readJournal(fake.host)).toBeUndefined();
	expect(readLog(fake.host).at(-1)).toMatchObject({ event: "failed", to: 2, code: "HOST_HEALTH_FAILED" });
}

test("a well function: its generation is good, with what was counted", async () => {
	const { fake, outcome } = await upgraded(SHORT, { ok: 990, drop: 10 }, { ok: 980, drop: 15, continue: 5 });
	using _ = fake;
	const counters = [
		{
			...{ function: "flow-dissector", scope: BLUE, runs: 1000, nanoseconds: 1000, reason: null },
			verdicts: answers({ ok: 980, drop: 15, continue: 5 }),
		},
	];
	expect(outcome).toMatchObject({
		value: { generation: 2, health: { seconds: 0.01, check: null, counters } },
	});
	expect(readHealth(fake.host, 2)).toMatchObject({ state: "good", by: "window", counters });
	expect(goodGeneration(fake.host)).toBe(2);
});

test("an answer that the hook does not know: the change takes itself back", async () => {
	const { fake, outcome } = await upgraded(SHORT, {}, { ok: 3, other: 1 });
	using _ = fake;
	expectTakenBack(fake, outcome, /1 of 4 answers are none that the hook knows/);
	expect(outcome).toMatchObject({
		reason: { details: { generation: 2, counters: [{ verdicts: { ok: 3, other: 1 } }] } },
	});
});

test("far more errors than the old function had: the change takes itself back", async () => {
	const { fake, outcome } = await upgraded(SHORT, { ok: 990, drop: 10 }, { ok: 800, drop: 200 });
	using _ = fake;
	expectTakenBack(fake, outcome, /20\.0 % of its answers are errors, where the one before had 1\.0 %/);
});

const counted = (drop: number, ok: number): Counters => ({
	...{ function: "f", scope: BLUE, runs: drop + ok, nanoseconds: 0, reason: null },
	verdicts: answers({ drop, ok }),
});
test.each<[string, Counters | undefined, Counters, boolean]>([
	["as many errors as before", counted(300, 700), counted(320, 680), false],
	["few errors, though far more than before", counted(1, 999), counted(45, 955), false],
	["errors where there were none", counted(0, 1000), counted(60, 940), true],
	["too few answers to tell", counted(0, 1000), counted(50, 49), false],
	["too few answers before to tell", counted(0, 99), counted(500, 500), false],
	["nothing ran before", undefined, counted(1000, 0), false],
	["answers that nobody could count", counted(0, 1000), { ...counted(0, 0), verdicts: null }, false],
])("%s: bad is %4$s", (_what, before, now, isBad) => {
	expect(badness(before, now) !== undefined).toBe(isBad);
});

test("where the kernel counts no answers, the window says so and judges by nothing else", async () => {
	using fake = openFakeHost(samples);
	fake.kernel.change((state) => {
		state.uncounted = "the kernel does not load the counter";
	});
	const host = { ...fake.host, health: () => SHORT };
	const report = await withLock(host, "install", (lock) =>
		install(lock, { bundle: samples.v1.archive, scope: BLUE }),
	);
	expect(report.health?.counters).toMatchObject([{ verdicts: null, reason: /does not load/, runs: 0 }]);
	expect(goodGeneration(fake.host)).toBe(1);
});

test("a check that passes is named in the mark; it knows the generation and nothing of the caller", async () => {
	const script = 'test "$KFN_GENERATION" = 2 && test -z "$HOME$KFN_ROOT"';
	const { fake, outcome } = await upgraded(checked(["sh", "-c", script]), {}, {});
	using _ = fake;
	expect(outcome).toMatchObject({ value: { health: { check: ["sh", "-c", script] } } });
	expect(readHealth(fake.host, 2)?.reason).toContain("its check passed: sh -c");
});

test.each<[string, HealthSettings, RegExp, object]>([
	[
		"fails",
		checked(["sh", "-c", "echo no way; exit 3"]),
		/ended with 3/,
		{ exit: 3, output: "no way\ufffd" },
	],
	["does not end", checked(["sleep", "600"], 0.05), /did not end in 0\.05 s/, { signal: "SIGKILL" }],
	["does not exist", checked(["/nonexistent"]), /cannot be started \(ENOENT\)/, { exit: null }],
	["fails without a window", { ...checked(["false"]), seconds: 0 }, /ended with 1: false/, { exit: 1 }],
])("a check that %s: the change takes itself back", async (_what, settings, message, check) => {
	const { fake, outcome } = await upgraded(settings, {}, {});
	using _ = fake;
	expectTakenBack(fake, outcome, message);
	expect(outcome).toMatchObject({ reason: { details: { generation: 2, check } } });
});

test("what a change keeps is not watched, and where nothing changes in the kernel nothing is waited for", async () => {
	using fake = openFakeHost(samples);
	const host = { ...fake.host, health: () => ({ seconds: 600, check: undefined }) };
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	const removed = await withLock(host, "remove", (lock) => remove(lock, { name: "sample" }));
	expect(removed).toMatchObject({ generation: 2, health: { counters: [] } });
	const short = { ...fake.host, health: () => SHORT };
	await withLock(short, "rollback", (lock) => rollback(lock));
	const report = await withLock(short, "install", (lock) =>
		install(lock, { bundle: samples.v1.archive, scope: RED }),
	);
	expect(report.health?.counters.map(({ scope }) => scope)).toEqual([RED]);
});
