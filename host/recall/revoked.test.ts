// What a host remembers of revocations: it is only added to, by name and id, and what cannot be read revokes everything.
import { mkdirSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import type { OpenedRevocation, Revocation } from "#signing/revocation.ts";
import { openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { withRecallLock } from "./lock.ts";
import { demandNotRevoked, mergeRevoked, readRevoked, revokedBy, writeRevoked } from "./revoked.ts";
import { openRevokedStanding } from "./standing.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

const SEEN = "2026-11-29T12:00:01.000Z";
const MANIFEST = "ab".repeat(32);
const TAG = `kfn1:${"cd".repeat(32)}`;
// As openRevocation gives them; that is tested beside it.
const revocation = (change: Partial<Revocation> = {}) =>
	({
		id: "01".repeat(16),
		name: "sample",
		state: "revoked",
		tags: [TAG],
		builds: [],
		advisory: null,
		reason: "it is bad",
		issued: "2026-11-29T12:00:00Z",
		...change,
	}) as OpenedRevocation;

test("what is written is read, and tells devices and kernel what may not run", async () => {
	using fake = openFakeHost(samples);
	const { host } = fake;
	expect(readRevoked(host)).toEqual([]);
	const build = revocation({
		id: "02".repeat(16),
		tags: [],
		builds: [{ version: "1.0.1", manifestSha256: MANIFEST }],
	});
	await withRecallLock(host, (lock) => {
		const merged = mergeRevoked([], [build, revocation()], SEEN);
		expect(writeRevoked(lock, merged)).toBe(true);
		expect(writeRevoked(lock, readRevoked(host))).toBe(false);
	});
	expect(readRevoked(host).map(({ id, seen }) => [id, seen])).toEqual([
		["01".repeat(16), SEEN],
		["02".repeat(16), SEEN],
	]);
	const standing = openRevokedStanding(host);
	expect(standing.revoked(TAG)).toEqual({ id: "01".repeat(16), reason: "it is bad" });
	expect(standing.revoked(TAG, "sample")).toBeDefined();
	expect(standing.revoked(TAG, "another")).toBeUndefined();
	const entry = (tag: string, manifestSha256: string) => ({
		tag,
		bundle: { name: "sample", version: "1.0.1", manifestSha256 },
	});
	const good = entry(`kfn1:${MANIFEST}`, "ee".repeat(32));
	demandNotRevoked(host, [good]);
	for (const bad of [entry(TAG, "ee".repeat(32)), entry(good.tag, MANIFEST)])
		expect(() => demandNotRevoked(host, [good, bad])).toThrow(
			expect.objectContaining({
				code: "HOST_REVOKED",
				exit: 3,
				message: expect.stringContaining("it is bad"),
			}),
		);
});

test("a withdrawal is the last word: a replayed revocation does not come back, nor does omission take one away", () => {
	const known = mergeRevoked([], [revocation()], SEEN);
	expect(mergeRevoked(known, [], SEEN)).toBe(known);
	const withdrawn = mergeRevoked(known, [revocation({ state: "withdrawn" })], SEEN);
	expect(withdrawn).toMatchObject([{ state: "withdrawn" }]);
	expect(mergeRevoked(withdrawn, [revocation()], SEEN)).toBe(withdrawn);
	expect(revokedBy(withdrawn, { name: "sample", tag: TAG, manifestSha256: MANIFEST })).toBeUndefined();
	// Ids are only one publisher's own: nobody takes back what another revoked.
	const other = mergeRevoked(known, [revocation({ name: "another", state: "withdrawn" })], SEEN);
	expect(revokedBy(other, { name: "sample", tag: TAG, manifestSha256: MANIFEST })).toBeDefined();
});

test("a damaged memory lets nothing be activated, and everything be removed", () => {
	using fake = openFakeHost(samples);
	const { host } = fake;
	mkdirSync(host.layout.recall, { recursive: true });
	writeFileSync(host.layout.revoked, '{"schema":"kfn.revoked/1","revocations":[]}\n');
	const refused = expect.objectContaining({ code: "HOST_REVOKED_MALFORMED", exit: 3 });
	expect(() => openRevokedStanding(host)).toThrow(refused);
	const entry = { tag: TAG, bundle: { name: "sample", version: "1.0.1", manifestSha256: MANIFEST } };
	expect(() => demandNotRevoked(host, [entry])).toThrow(refused);
	demandNotRevoked(host, []);
});

test("two recalls at once: the second is told", async () => {
	using fake = openFakeHost(samples);
	await withRecallLock(fake.host, async () => {
		await expect(withRecallLock(fake.host, () => "never")).rejects.toMatchObject({ code: "HOST_LOCKED" });
		// What is revoked can be written while another command changes the host.
		expect(await fake.locked(() => "changes")).toBe("changes");
	});
	expect(await withRecallLock(fake.host, () => "now")).toBe("now");
});
