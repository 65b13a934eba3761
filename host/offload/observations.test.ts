// What was seen of a device counts for that device with that firmware and that function, and for nothing else.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { withLock } from "../lock.ts";
import { type Observation, observationOf, putObservation, readObservations } from "./observations.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/formats/offload.md"), "utf8");
const [, EXAMPLE = ""] = /^```json observations\.json\n(.*?)^```/ms.exec(PAGE) ?? [];

let samples: Samples;
let fake: FakeHost;
beforeAll(async () => {
	samples = await makeSamples();
});
beforeEach(() => {
	fake = openFakeHost(samples);
});
afterEach(() => fake[Symbol.dispose]());

/** The worked example of the page, as a host has it. */
function seen(): Observation {
	mkdirSync(dirname(fake.host.layout.observations), { recursive: true });
	writeFileSync(fake.host.layout.observations, EXAMPLE);
	return readObservations(fake.host)[0]!;
}

test("it counts for the device, the firmware and the function that were tried", () => {
	const one = seen();
	const find = (change: Partial<Observation>) => {
		const other = { ...one, ...change };
		return observationOf(fake.host, other, other.function, other);
	};
	expect(find({})).toEqual(one);
	for (const change of [
		{ device: "dev:eth1" as Observation["device"] },
		...[
			{ firmware: "1.0.1" },
			{ firmware: null },
			{ driver: "other" },
			{ vendor: "1235" },
			{ deviceId: null },
		],
		...[{ function: "gro" }, { abi: 2 }, { tag: `kfn1:${"0".repeat(64)}` }, { configDigest: "0".repeat(64) }],
	])
		expect([change, find(change)]).toEqual([change, undefined]);
});

test("the last try of the same counts, and others stay", async () => {
	const one = seen();
	await withLock(fake.host, "test", (lock) => {
		putObservation(lock, { ...one, firmware: "2.0.0" });
		putObservation(lock, { ...one, agrees: false });
	});
	expect(readObservations(fake.host).map(({ firmware, agrees }) => [firmware, agrees])).toEqual([
		["2.0.0", true],
		["1.0.0", false],
	]);
});

test("a file that is not understood is refused", () => {
	seen();
	writeFileSync(fake.host.layout.observations, EXAMPLE.replace('"agrees": true', '"agrees": 1'));
	expect(() => readObservations(fake.host)).toThrow(
		expect.objectContaining({ code: "HOST_STATE_MALFORMED" }),
	);
});
