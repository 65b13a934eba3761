// Holds: the format of holds.json, what upgrade and install refuse because of one, and what must not ask. On a fake kernel.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { openDurable } from "./durable.ts";
import { codeOf } from "./errors.ts";
import { faultAt } from "./faults.ts";
import { hold, parseHolds, readHolds, serializeHolds, unhold } from "./holds.ts";
import { install } from "./install.ts";
import { list } from "./list.ts";
import { remove } from "./remove.ts";
import { rollback } from "./rollback.ts";
import { upgrade } from "./upgrade.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../docs/formats/holds.md"), "utf8");
const EXAMPLE = /```json holds\n(.*?)```/s.exec(PAGE)?.[1] ?? "";
let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

const add = (fake: FakeHost, bundle: Uint8Array, scope: string) =>
	fake.locked((lock) => install(lock, { bundle, scope }));
const up = (fake: FakeHost, bundle: Uint8Array) => fake.locked((lock) => upgrade(lock, { bundle }));
const keep = (fake: FakeHost, version?: string, reason?: string) =>
	fake.locked((lock) => hold(lock, { name: "sample", version, reason }));

test("holds.json is read as the page shows it, and written like it", () => {
	const holds = parseHolds(Buffer.from(EXAMPLE));
	expect(holds.map(({ name, version }) => [name, version])).toEqual([
		["flow-dissector", null],
		["gro", "1.0.1"],
	]);
	expect(serializeHolds(holds.toReversed())).toBe(EXAMPLE);
});

describe("what is not in the documented form is refused", () => {
	const one = JSON.parse(EXAMPLE).holds[0] as Record<string, unknown>;
	const file = (holds: unknown) => JSON.stringify({ schema: "kfn.holds/1", holds });
	test.each<[string, string]>([
		["empty", ""],
		["another schema", EXAMPLE.replace("holds/1", "holds/2")],
		["a field more", file([{ ...one, until: "tomorrow" }])],
		["a field less", file([{ ...one, since: undefined }])],
		["a name twice", file([one, one])],
		["a field twice", EXAMPLE.replace('"version": null,', '"version": null, "version": null,')],
		["a name that is none", file([{ ...one, name: "Flow" }])],
		["a range", file([{ ...one, version: "^1.0" }])],
		["a reason of two lines", file([{ ...one, reason: "a\nb" }])],
		["a reason of nothing", file([{ ...one, reason: "" }])],
		["a date without a time", file([{ ...one, since: "2026-11-23" }])],
	])("%s", (_what, text) => {
		expect(() => parseHolds(Buffer.from(text))).toThrow(
			expect.objectContaining({ code: "HOST_HOLDS_MALFORMED", exit: 1 }),
		);
	});
});

test("an upgrade past a hold is refused; without the hold it goes", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	expect(await keep(fake, undefined, "until the line is idle")).toBe(true);
	expect(await keep(fake)).toBe(false);
	await expect(up(fake, samples.v2.archive)).rejects.toMatchObject({
		...{ code: "HOST_HELD", exit: 1, hint: /kfn unhold sample lets it go to 1\.1\.0/ },
		message: "sample is held at 1.0.0 since 2026-11-23T10:00:00.000Z (until the line is idle)",
	});
	expect(await up(fake, samples.v1.archive)).toMatchObject({ changed: false });
	await fake.locked((lock) => unhold(lock, "sample"));
	expect(await up(fake, samples.v2.archive)).toMatchObject({ generation: 2 });
	await expect(fake.locked((lock) => unhold(lock, "sample"))).rejects.toMatchObject({
		code: "HOST_NOT_HELD",
	});
});

test("a hold at a version lets it go there, and nowhere else", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	await keep(fake, "1.1.0");
	await expect(up(fake, samples.v3.archive)).rejects.toMatchObject({ code: "HOST_HELD" });
	expect(await up(fake, samples.v2.archive)).toMatchObject({ generation: 2 });
	await expect(up(fake, samples.v3.archive)).rejects.toMatchObject({ code: "HOST_HELD" });
});

test("another scope gets the version that is held, and no other", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	await keep(fake);
	await expect(add(fake, samples.v2.archive, RED)).rejects.toMatchObject({ code: "HOST_HELD" });
	expect(await add(fake, samples.v1.archive, RED)).toMatchObject({ generation: 2 });
});

test("a hold on what is not active keeps nothing out, at a version everything else", async () => {
	using fake = openFakeHost(samples);
	await keep(fake, "1.0.0");
	await expect(add(fake, samples.v2.archive, BLUE)).rejects.toMatchObject({ code: "HOST_HELD" });
	await fake.locked((lock) => unhold(lock, "sample"));
	await keep(fake);
	expect(await add(fake, samples.v2.archive, BLUE)).toMatchObject({ generation: 1 });
});

test("the way back and the way out do not ask; a hold outlives a purge", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	await up(fake, samples.v2.archive);
	await keep(fake);
	expect(await fake.locked((lock) => rollback(lock))).toMatchObject({ functions: [{ version: "1.0.0" }] });
	await fake.locked((lock) => remove(lock, { name: "sample", purge: true }));
	expect(readHolds(fake.host)).toMatchObject([{ name: "sample", version: null }]);
});

test("holds that cannot be read keep everything where it is, but not from the way back", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	await up(fake, samples.v2.archive);
	mkdirSync(fake.host.layout.config, { recursive: true });
	writeFileSync(fake.host.layout.holds, "{}");
	await expect(up(fake, samples.v3.archive)).rejects.toMatchObject({ code: "HOST_HOLDS_MALFORMED" });
	await expect(keep(fake)).rejects.toMatchObject({ code: "HOST_HOLDS_MALFORMED" });
	expect(await fake.locked((lock) => rollback(lock))).toMatchObject({ generation: 3 });
});

test("a list of what is installed says what is held, and that holds cannot be read", async () => {
	using fake = openFakeHost(samples);
	expect(list(fake.host).holds).toEqual([]);
	await keep(fake, "1.0.0", "a test");
	expect(list(fake.host).holds).toMatchObject([{ name: "sample", version: "1.0.0", reason: "a test" }]);
	writeFileSync(fake.host.layout.holds, "{}");
	expect(list(fake.host).holds).toBeNull();
});

test("names, versions and reasons that the file could not hold are refused before anything is written", async () => {
	using fake = openFakeHost(samples);
	await expect(keep(fake, "^1.0")).rejects.toMatchObject({ code: "BUNDLE_VERSION_INVALID" });
	await expect(keep(fake, "1.0.0", "two\nlines")).rejects.toMatchObject({ code: "HOST_HOLDS_MALFORMED" });
	expect(existsSync(fake.host.layout.holds)).toBe(false);
});

test.each(["fail", "fail-after", "full"] as const)(
	"%s at each write leaves the old holds or the new ones",
	async (kind) => {
		for (let at = 1; ; at++) {
			using fake = openFakeHost(samples);
			await keep(fake, "1.0.0");
			const faults = faultAt(at, kind);
			const host = { ...fake.host, durable: openDurable(faults) };
			const failed = await fake
				.locked((lock) => hold({ ...lock, host, fd: lock.fd, command: "hold" }, { name: "other" }))
				.then(() => "", codeOf);
			expect([["sample"], ["other", "sample"]]).toContainEqual(readHolds(fake.host).map(({ name }) => name));
			if (faults.passed.length < at) return expect(failed).toBe("");
			expect(["HOST_IO", "HOST_DISK_FULL"]).toContain(failed);
		}
	},
);
