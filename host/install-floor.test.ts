// The floor under install and upgrade, on a fake kernel: what came through the registry is the lowest that may come again.
import { beforeAll, expect, test } from "vitest";
import { BLUE, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { outcome } from "#test/harness/trust-world.ts";
import { install } from "./install.ts";
import { remove } from "./remove.ts";
import { rollback } from "./rollback.ts";
import { readMark } from "./trust-state/mark.ts";
import { upgrade } from "./upgrade.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

test("a version below what came through the registry is HOST_DOWNGRADE; a local rollback is not, and runs on with other parameters", async () => {
	using fake = openFakeHost(samples);
	const bundle = samples.v1.archive;
	await fake.locked((lock) => install(lock, { bundle, scope: BLUE, raisesFloor: true }));
	await fake.locked((lock) => upgrade(lock, { bundle: samples.v2.archive, raisesFloor: true }));
	expect(readMark(fake.host).bundles["sample"]!.floor).toBe("1.1.0");
	expect(await outcome(fake.locked((lock) => upgrade(lock, { bundle })))).toBe("HOST_DOWNGRADE");
	expect(await outcome(fake.locked((lock) => install(lock, { bundle, scope: RED })))).toBe("HOST_DOWNGRADE");
	await fake.locked((lock) => rollback(lock));
	expect(await fake.locked((lock) => install(lock, { bundle, scope: BLUE }))).toMatchObject({
		changed: false,
	});
	await fake.locked((lock) => remove(lock, { name: "sample" }));
	expect(await outcome(fake.locked((lock) => install(lock, { bundle, scope: BLUE })))).toBe("HOST_DOWNGRADE");
	await fake.locked((lock) => install(lock, { bundle: samples.v2.archive, scope: BLUE }));
	// A file given by hand raises nothing.
	await fake.locked((lock) => upgrade(lock, { bundle: samples.v3.archive }));
	expect(readMark(fake.host).bundles["sample"]!.floor).toBe("1.1.0");
});
