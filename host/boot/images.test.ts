// Images that carry something revoked are made anew, each by the maker that is there, and a maker that fails is told.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { install } from "../install.ts";
import { serializeRevoked } from "../recall/revoked.ts";
import { upgrade } from "../upgrade.ts";
import { remakeImages } from "./images.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

function lay(fake: FakeHost, path: string, text: string, mode = 0o644): void {
	const full = join(fake.host.layout.root, path);
	mkdirSync(dirname(full), { recursive: true });
	writeFileSync(full, text);
	chmodSync(full, mode);
}

/** Two images, of generations 1 and 2, of which the first is revoked; initramfs loading is enabled. */
async function withImages(): Promise<FakeHost> {
	const fake = openFakeHost(samples);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	await fake.locked((lock) => upgrade(lock, { bundle: samples.v2.archive }));
	for (const [release, generation] of [
		["6.1.0-a", 1],
		["6.12.0-b", 2],
	] as const)
		lay(
			fake,
			`var/lib/kfn/initramfs/${release}.json`,
			JSON.stringify({ schema: "kfn.initramfs/1", release, generation }),
		);
	lay(
		fake,
		"etc/kfn/boot-enabled.json",
		JSON.stringify({ schema: "kfn.boot-enabled/1", made: [], initramfs: true }),
	);
	const record = {
		...{ id: "01".repeat(16), name: "sample", state: "revoked" as const, tags: [samples.v1.tag], builds: [] },
		...{
			advisory: null,
			reason: "it is bad",
			issued: "2026-11-29T12:00:00Z",
			seen: "2026-11-29T12:00:01.000Z",
		},
	};
	lay(fake, "var/lib/kfn/recall/revoked.json", serializeRevoked([record]).toString());
	return fake;
}

test("the one image that carries what is revoked is made anew, by its kernel's release", async () => {
	using fake = await withImages();
	lay(fake, "usr/sbin/update-initramfs", `#!/bin/sh\necho "$@" >> ${fake.host.layout.root}/made\n`, 0o755);
	expect(await remakeImages(fake.host)).toEqual({ made: ["6.1.0-a"], warnings: [] });
	expect(readFileSync(join(fake.host.layout.root, "made"), "utf8")).toBe("-u -k 6.1.0-a\n");
});

test("a maker that fails, and none, are told", async () => {
	using fake = await withImages();
	const none = await remakeImages(fake.host);
	expect(none.warnings.join()).toContain("no maker of it is here");
	lay(fake, "usr/bin/dracut", "#!/bin/sh\necho no room >&2\nexit 3\n", 0o755);
	const { made, warnings } = await remakeImages(fake.host);
	expect(made).toEqual([]);
	expect(warnings.join()).toMatch(/6\.1\.0-a carries what is revoked.*ended with 3: no room/);
});
