// What kfn explain says of a function's places: bundle, kernel, a foreign program, and that it cannot tell; on a fake kernel.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { BLUE, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { explain } from "./explain.ts";
import { install } from "./install.ts";
import { remove } from "./remove.ts";
import { upgrade } from "./upgrade.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});
const FUNCTION = { function: "flow-dissector" };

test("before anything is installed it is the kernel's own code, everywhere", async () => {
	using fake = openFakeHost(samples);
	expect((await explain(fake.host, FUNCTION)).places).toEqual([
		{ scope: "elsewhere", active: "kernel", bundle: null, because: ["nothing of kfn's is active"] },
	]);
	const typo = explain(fake.host, { function: "flow-disector" });
	await expect(typo).rejects.toMatchObject({
		code: "HOST_NOT_INSTALLED",
		hint: expect.stringContaining("tso"),
	});
});

test("a place, since which change it is so, and what is elsewhere", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: RED }));
	await fake.locked((lock) => upgrade(lock, { bundle: samples.v2.archive, scope: BLUE }));
	await fake.locked((lock) => remove(lock, { name: "sample", scope: RED }));
	const { places, generation } = await explain(fake.host, FUNCTION);
	expect(generation).toBe(4);
	expect(places).toMatchObject([
		{ scope: BLUE, active: "bundle", bundle: { name: "sample", version: "1.1.0", tag: samples.v2.tag } },
		{ scope: "elsewhere", active: "kernel", bundle: null },
	]);
	expect(places[0]?.because[0]).toMatch(/^generation 3 \(\S+\): upgrade sample 1\.0\.0 → 1\.1\.0/);
	const red = await explain(fake.host, { ...FUNCTION, scope: RED });
	expect(red.places).toMatchObject([{ scope: RED, active: "kernel", bundle: null }]);
	expect(red.places[0]?.because).toEqual([
		`generation 4 has no flow-dissector in ${RED}`,
		expect.stringMatching(/^generation 4 \(\S+\): remove sample/),
	]);
});

test("what is planned and does not run is said, and why", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	fake.kernel.change((state) => {
		state.pins = [];
	});
	const [place] = (await explain(fake.host, { ...FUNCTION, scope: BLUE })).places;
	expect(place).toMatchObject({ active: "kernel", bundle: { version: "1.0.0" } });
	expect(place?.because[0]).toContain("flow-dissector is not loaded in");
});

test("a program of somebody else in a namespace that the generation does not name", async () => {
	using fake = openFakeHost(samples);
	fake.kernel.attachForeign(RED.slice("netns:".length));
	const [place] = (await explain(fake.host, { ...FUNCTION, scope: RED })).places;
	expect(place).toMatchObject({ active: "foreign", bundle: null });
	expect(place?.because[0]).toMatch(/^program \d+ of somebody else holds the hook/);
});

test("the page's example has the report's fields", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	const page = readFileSync(join(import.meta.dirname, "../docs/formats/history.md"), "utf8");
	const shown = JSON.parse(/```json explain\n(.*?)```/s.exec(page)?.[1] ?? "{}");
	const report = await explain(fake.host, FUNCTION);
	expect(Object.keys(report)).toEqual(Object.keys(shown));
	expect(report.places.map((place) => [place.active, ...Object.keys(place)])).toEqual(
		shown.places.map((place: object & { active: string }) => [place.active, ...Object.keys(place)]),
	);
});
