// docs/formats/host-state.md is what the code reads and writes: every example, both tables.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { BLUE, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { planSteps } from "./change.ts";
import { DRIFT_KINDS } from "./drift.ts";
import { readApplied, writeApplied } from "./generations.ts";
import { markGood, readHealth } from "./health.ts";
import { install } from "./install.ts";
import { readJournal, writeJournal } from "./journal.ts";
import { withLock } from "./lock.ts";
import { readLog } from "./log.ts";
import { status } from "./status.ts";
import { upgrade } from "./upgrade.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/formats/host-state.md"), "utf8");
let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

function example(name: string): string {
	const [, text] = new RegExp(`\`\`\`json ${name}\n([^]*?)\`\`\``).exec(PAGE) ?? [];
	if (text === undefined) throw new Error(`the page has no example ${name}`);
	return text;
}

test("applied.json is read as it stands, and written as it stands", async () => {
	using fake = openFakeHost(samples);
	const { layout } = fake.host;
	mkdirSync(layout.generation(3), { recursive: true });
	writeFileSync(layout.applied(3), example("applied"));
	const applied = readApplied(fake.host, 3);
	expect(applied).toEqual(JSON.parse(example("applied")));
	await fake.locked((lock) => writeApplied(lock, applied!));
	expect(readFileSync(layout.applied(3), "utf8")).toBe(example("applied"));
});

test("health.json is read as it stands, and written as it stands", async () => {
	using fake = openFakeHost(samples);
	const { layout } = fake.host;
	mkdirSync(layout.generation(3), { recursive: true });
	writeFileSync(layout.health(3), example("health"));
	const health = readHealth(fake.host, 3)!;
	expect(health).toEqual(JSON.parse(example("health")));
	rmSync(layout.health(3));
	await fake.locked((lock) => markGood(lock, 3, health));
	const written = readFileSync(layout.health(3), "utf8");
	const { at, kernels } = JSON.parse(written);
	expect(written.replace(at, health.at).replace(kernels[0], health.kernels[0]!)).toBe(example("health"));
});

test("journal.json is read as it stands, and written like it", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => writeJournal(lock, { from: 2, to: 3 }));
	const written = readFileSync(fake.host.layout.journal, "utf8");
	expect(shapeOf(JSON.parse(written))).toEqual(shapeOf(JSON.parse(example("journal"))));
	writeFileSync(fake.host.layout.journal, example("journal"));
	expect(readJournal(fake.host)).toEqual(JSON.parse(example("journal")));
});

test("log.jsonl is read as it stands; a torn line is left out", async () => {
	using fake = openFakeHost(samples);
	mkdirSync(fake.host.layout.state, { recursive: true });
	writeFileSync(fake.host.layout.log, `${example("log")}{"at":"2026-`);
	const lines = example("log").trimEnd().split("\n");
	expect(readLog(fake.host)).toEqual(lines.map((line) => JSON.parse(line)));
	expect(lines.map((line) => JSON.parse(line).event)).toEqual(["changed", "failed", "recovered"]);
});

test("the lock's line", async () => {
	using fake = openFakeHost(samples);
	await fake.locked(() => {
		const line = JSON.parse(readFileSync(fake.host.layout.lock, "utf8"));
		expect(shapeOf(line)).toEqual(shapeOf(JSON.parse(example("lock"))));
	});
});

test("kfn status --json and the report of a change have the fields of the examples, and no other", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	const watched = { ...fake.host, health: () => ({ seconds: 0.01, check: undefined }) };
	const report = await withLock(watched, "upgrade", (lock) => upgrade(lock, { bundle: samples.v2.archive }));
	expect(shapeOf(report)).toEqual(shapeOf(JSON.parse(example("change"))));
	fake.kernel.change((state) => {
		state.pins = [...state.pins, { ...state.pins[0]!, function: "gro", scope: "netns:/run/netns/blue" }];
	});
	const { trust: _trust, recall, ...seen } = await status(fake.host);
	const { trust, recall: fresh, ...documented } = JSON.parse(example("status"));
	expect(shapeOf(seen)).toEqual(shapeOf(documented));
	expect(trust).toMatchObject({ state: "suspended", suspended: { guarantee: "freshness" } });
	// This host has no registry; the page's has one, and its list.
	expect(recall).toMatchObject({ state: "none", sequence: null });
	expect(Object.keys(recall)).toEqual(Object.keys(fresh));
	expect(seen.drift).toEqual(JSON.parse(example("status")).drift);
});

test("the table of drift is the code's", () => {
	const rows = [...PAGE.matchAll(/^\| `([a-z-]+)` +\| ([^|]+?) +\|$/gm)].map(([, kind, means]) => [
		kind,
		means,
	]);
	expect(Object.fromEntries(rows)).toEqual(DRIFT_KINDS);
});

test("the table of a change's steps is the code's", () => {
	const rows = [...PAGE.matchAll(/^\| `([a-z]+)` +\|[^|]+\|[^|]+\|$/gm)].map(([, step]) => step);
	const bundles = [{ manifest: { name: "x", version: "1.0.0" } }] as unknown as Parameters<
		typeof planSteps
	>[0]["bundles"];
	const functions = [{}] as unknown as Parameters<typeof planSteps>[0]["functions"];
	const steps = planSteps({ bundles, functions }, 1, 2, { seconds: 1, check: undefined }, true).map(
		(step) => step.step,
	);
	expect(rows).toEqual(["recover", "verify", ...steps]);
});

/** A value with every leaf replaced by its type: what a reader of the format relies on. */
function shapeOf(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(shapeOf);
	if (typeof value !== "object" || value === null) return value === null ? null : typeof value;
	return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shapeOf(item)]));
}
