// A revoked bundle is not activated again, whichever of the two comes first: the revocation, or the change that brings the bundle.
import { beforeAll, expect, test } from "vitest";
import type { OpenedRevocation } from "#signing/revocation.ts";
import { openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples, type SignedSample } from "#test/harness/host-world.ts";
import { currentGeneration } from "../generations.ts";
import type { Host } from "../host.ts";
import { install } from "../install.ts";
import { rollback } from "../rollback.ts";
import { upgrade } from "../upgrade.ts";
import type { RecallLock } from "./lock.ts";
import { mergeRevoked, readRevoked, writeRevoked } from "./revoked.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

const BLUE = "netns:/run/netns/blue";
const refused = { code: "HOST_REVOKED", exit: 3 };

/** At once, as another process could at any moment. */
function revoke(host: Host, { name, tag }: SignedSample): void {
	const revocation = {
		id: tag.slice(5, 37),
		name,
		state: "revoked",
		tags: [tag],
		builds: [],
		advisory: null,
		reason: "it is bad",
		issued: "2026-11-29T12:00:00Z",
	} as unknown as OpenedRevocation;
	const merged = mergeRevoked(readRevoked(host), [revocation], host.now().toISOString());
	writeRevoked({ host } as RecallLock, merged);
}

test("known before: neither install nor upgrade nor rollback brings it", async () => {
	using fake = openFakeHost(samples);
	const { host } = fake;
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	await fake.locked((lock) => upgrade(lock, { bundle: samples.v2.archive }));
	revoke(host, samples.v1);
	await expect(fake.locked((lock) => rollback(lock, { to: 1 }))).rejects.toMatchObject(refused);
	// Without a number it goes past what is revoked, and there is nothing else.
	await expect(fake.locked((lock) => rollback(lock))).rejects.toMatchObject({ code: "HOST_NO_GENERATION" });
	revoke(host, samples.v3);
	const bundle = samples.v3.archive;
	await expect(fake.locked((lock) => upgrade(lock, { bundle }))).rejects.toMatchObject(refused);
	const elsewhere = { bundle, scope: "netns:/run/netns/red" };
	await expect(fake.locked((lock) => install(lock, elsewhere))).rejects.toMatchObject(refused);
	expect(currentGeneration(host)).toBe(2);
});

test.each(["import", "preflight", "write", "journal", "apply", "check", "record", "commit"])(
	"revoked while an upgrade is at its step %s: the upgrade takes itself back",
	async (at) => {
		using fake = openFakeHost(samples);
		const { host } = fake;
		await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
		const onStep = ({ step }: { step: string }) => {
			if (step === at) revoke(host, samples.v2);
		};
		const upgraded = fake.locked((lock) => upgrade(lock, { bundle: samples.v2.archive, onStep }));
		// Until it is in the kernel, the loader is the first to find it.
		const found = { code: expect.stringMatching(/^(HOST|LOAD)_REVOKED$/), exit: 3 };
		await expect(upgraded).rejects.toMatchObject(found);
		expect(currentGeneration(host)).toBe(1);
		expect(fake.kernel.read().pins.map(({ version }) => version)).toEqual(["1.0.0"]);
	},
);
