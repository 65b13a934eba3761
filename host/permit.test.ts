// Going to a lower version by its publisher's permit, on a fake kernel: what is let through, and attacks by name.
import { writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { openBundle } from "#bundle/bundle.ts";
import { sha256 } from "#bundle/digest.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { type DsseEnvelope, signDsseEnvelope } from "#signing/envelope.ts";
import { newPermit, type Permit } from "#signing/permit.ts";
import { serializePublishers } from "#signing/publishers.ts";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples, signedSample, trustKeys } from "#test/harness/host-world.ts";
import { readCurrentPlan } from "./generations.ts";
import { install } from "./install.ts";
import { readLog } from "./log.ts";
import type { OfferedPermits } from "./permit.ts";
import { remove } from "./remove.ts";
import { rollback } from "./rollback.ts";
import { EMPTY_MARK, readMark, writeMark } from "./trust-state/mark.ts";
import { upgrade } from "./upgrade.ts";

let samples: Samples;
let to: Permit["to"];
beforeAll(async () => {
	samples = await makeSamples();
	to = { version: "1.0.0", manifestSha256: (await openBundle(samples.v1.archive)).manifestDigest };
});

const ID = "0123456789abcdef".repeat(2);
/** In force at the fake host's time, from 1.1.0 to 1.0.0 unless told otherwise. */
async function permit(change: Partial<Permit> = {}, signers: readonly SecretKey[] = [samples.key]) {
	let envelope = newPermit({
		id: ID,
		name: "sample",
		from: "1.1.0" as Permit["from"],
		to,
		reason: "1.1.0 drops packets",
		issued: "2026-11-22T10:00:00Z",
		expires: "2026-11-24T10:00:00Z",
		...change,
	});
	for (const signer of signers) envelope = await signDsseEnvelope(envelope, signer);
	return envelope;
}
const add = (fake: FakeHost, bundle: Uint8Array, scope = BLUE) =>
	fake.locked((lock) => install(lock, { bundle, scope }));
const take = (fake: FakeHost, bundle: Uint8Array, permits?: OfferedPermits, scope?: string) =>
	fake.locked((lock) => upgrade(lock, { bundle, permits, scope }));

async function onTwo(): Promise<FakeHost> {
	const fake = openFakeHost(samples);
	await add(fake, samples.v2.archive);
	return fake;
}

describe("a permit lets the host go down", () => {
	test("once; generation, report and log name it", async () => {
		using fake = await onTwo();
		const report = await take(fake, samples.v1.archive, { named: await permit() });
		const reason = `upgrade sample 1.1.0 → 1.0.0 by permit ${ID}`;
		expect(report).toMatchObject({ changed: true, permit: ID, reason, functions: [{ version: "1.0.0" }] });
		expect(fake.kernel.running()).toEqual([`flow-dissector ${BLUE} 1.0.0`]);
		expect(readCurrentPlan(fake.host).reason).toBe(reason);
		expect(readLog(fake.host).at(-1)).toMatchObject({ event: "changed", reason });
		// It is there now: nothing to permit.
		expect(await take(fake, samples.v1.archive)).toMatchObject({ changed: false, permit: null });
	});

	test("one of those that an index lists, behind others that do not serve", async () => {
		using fake = await onTwo();
		const listed = [
			await permit({ from: "1.5.0" as Permit["from"] }),
			await permit({}, [await generateKeyPair()]),
			await permit({ id: "f".repeat(32) }),
		];
		expect(await take(fake, samples.v1.archive, { listed })).toMatchObject({ permit: "f".repeat(32) });
	});

	test("in all scopes at once, if its range holds every version that is left", async () => {
		using fake = await onTwo();
		await add(fake, samples.v3.archive, RED);
		const narrow = { named: await permit() };
		await expect(take(fake, samples.v1.archive, narrow)).rejects.toMatchObject({ code: "PERMIT_SCOPE" });
		await take(fake, samples.v1.archive, narrow, BLUE);
		const wide = { named: await permit({ from: ">=1.1.0 <=2.0.0" as Permit["from"] }) };
		await take(fake, samples.v1.archive, wide);
		expect(fake.kernel.running()).toEqual([`flow-dissector ${BLUE} 1.0.0`, `flow-dissector ${RED} 1.0.0`]);
	});

	test("a step up needs none, and does not spend one", async () => {
		using fake = await onTwo();
		const report = await take(fake, samples.v3.archive, { named: await permit() });
		expect(report).toMatchObject({ changed: true, permit: null, functions: [{ version: "2.0.0" }] });
	});
});

describe("the floor of a name, once a version came through the registry", () => {
	const through = (fake: FakeHost, verb: typeof install | typeof upgrade, bundle: Uint8Array, rest = {}) =>
		fake.locked((lock) => verb(lock, { bundle, scope: BLUE, raisesFloor: true, ...rest }));
	const floorOf = (fake: FakeHost) => readMark(fake.host).bundles["sample"]?.floor;

	test("goes down with a permitted step, and only then", async () => {
		using fake = openFakeHost(samples);
		await through(fake, install, samples.v2.archive);
		await expect(through(fake, upgrade, samples.v1.archive)).rejects.toMatchObject({
			code: "HOST_DOWNGRADE",
		});
		expect(floorOf(fake)).toBe("1.1.0");
		await through(fake, upgrade, samples.v1.archive, { permits: { named: await permit() } });
		expect(floorOf(fake)).toBe("1.0.0");
		await through(fake, upgrade, samples.v3.archive);
		expect(floorOf(fake)).toBe("2.0.0");
	});

	test("holds an install up after a removal, until a permit covers the floor", async () => {
		using fake = openFakeHost(samples);
		await through(fake, install, samples.v2.archive);
		await fake.locked((lock) => remove(lock, { name: "sample" }));
		await expect(add(fake, samples.v1.archive)).rejects.toMatchObject({
			code: "HOST_DOWNGRADE",
			details: { leaving: ["1.1.0"] },
		});
		const permits = { named: await permit() };
		const report = await through(fake, install, samples.v1.archive, { permits });
		expect(report).toMatchObject({ permit: ID, reason: `install sample 1.0.0 by permit ${ID}` });
		expect(floorOf(fake)).toBe("1.0.0");
	});

	test("is left only by a permit that covers it, also where a rollback took the host lower", async () => {
		using fake = openFakeHost(samples);
		const first = await signedSample({ version: "0.9.0", offset: 16, signers: [samples.key] });
		await through(fake, install, samples.v1.archive);
		await through(fake, upgrade, samples.v2.archive);
		await fake.locked((lock) => rollback(lock, { to: 1 }));
		const target = { version: "0.9.0", manifestSha256: (await openBundle(first.archive)).manifestDigest };
		const narrow = await permit({ from: "1.0.0" as Permit["from"], to: target });
		const step = (named: DsseEnvelope) => through(fake, upgrade, first.archive, { permits: { named } });
		await expect(step(narrow)).rejects.toMatchObject({ code: "PERMIT_SCOPE" });
		await step(await permit({ from: ">=1.0.0 <=1.1.0" as Permit["from"], to: target }));
		expect(floorOf(fake)).toBe("0.9.0");
	});

	test("stays as high as what another scope still runs", async () => {
		using fake = openFakeHost(samples);
		await through(fake, install, samples.v2.archive);
		await add(fake, samples.v2.archive, RED);
		await through(fake, upgrade, samples.v1.archive, { permits: { named: await permit() } });
		expect(fake.kernel.running()).toEqual([`flow-dissector ${BLUE} 1.0.0`, `flow-dissector ${RED} 1.1.0`]);
		expect(floorOf(fake)).toBe("1.1.0");
	});
});

describe("without one", () => {
	test("the refusal names both ways where this host ran the version", async () => {
		using fake = openFakeHost(samples);
		await add(fake, samples.v1.archive);
		await take(fake, samples.v2.archive);
		await expect(take(fake, samples.v1.archive)).rejects.toMatchObject({
			code: "HOST_DOWNGRADE",
			message: "sample 1.0.0 is lower than what this host has had: 1.1.0",
			hint: expect.stringMatching(/^kfn rollback 1 .* kfn upgrade sample@1.0.0 --permit FILE/),
			details: { leaving: ["1.1.0"], offered: to, permits: [] },
		});
		await fake.locked((lock) => rollback(lock, { to: 1 }));
		expect(fake.kernel.running()).toEqual([`flow-dissector ${BLUE} 1.0.0`]);
	});

	test("and only the permit where it never ran", async () => {
		using fake = await onTwo();
		await expect(take(fake, samples.v1.archive)).rejects.toMatchObject({
			code: "HOST_DOWNGRADE",
			hint: expect.stringMatching(/^kfn upgrade sample@1.0.0 --permit FILE/),
		});
	});
});

describe("attacks", () => {
	/** What a named permit is refused with, and that a registry which lists the same one gets no further. */
	async function refuses(
		code: string,
		envelope: DsseEnvelope,
		fake?: FakeHost,
		archive = samples.v1.archive,
	): Promise<void> {
		using own = fake === undefined ? await onTwo() : undefined;
		const host = (fake ?? own) as FakeHost;
		const running = host.kernel.running();
		await expect(take(host, archive, { named: envelope })).rejects.toMatchObject({ code, exit: 3 });
		await expect(take(host, archive, { listed: [envelope] })).rejects.toMatchObject({
			code: "HOST_DOWNGRADE",
			details: { permits: [{ code }] },
		});
		expect(host.kernel.running()).toEqual(running);
	}

	test("replay of an expired permit", async () => {
		await refuses(
			"PERMIT_EXPIRED",
			await permit({ issued: "2026-11-01T00:00:00Z", expires: "2026-11-23T10:00:00Z" }),
		);
	});

	test("clock set back to revive an expired permit", async () => {
		using fake = await onTwo();
		const mark = { ...EMPTY_MARK, time: "2026-11-24T10:00:00.000Z" };
		await fake.locked((lock) => writeMark(lock, mark));
		expect(fake.host.now().toISOString()).toBe("2026-11-23T10:00:00.000Z");
		await refuses("PERMIT_EXPIRED", await permit(), fake);
	});

	test("replay of a permit for another name that the same publisher signs", async () => {
		using fake = await onTwo();
		trustKeys(fake.host.layout.root, ["sample", "other"], [samples.key]);
		await refuses("PERMIT_SCOPE", await permit({ name: "other" }), fake);
	});

	test("replay of a permit after the host has moved up again", async () => {
		using fake = await onTwo();
		const used = await permit();
		await take(fake, samples.v1.archive, { named: used });
		await take(fake, samples.v3.archive);
		await refuses("PERMIT_SCOPE", used, fake);
	});

	test("permit for another target version", async () => {
		await refuses("PERMIT_SCOPE", await permit({ to: { ...to, version: "0.9.0" } }));
	});

	test("permit for a version whose bytes differ from the permitted manifest", async () => {
		const other = await signedSample({ version: "1.0.0", offset: 77, signers: [samples.key] });
		await refuses("PERMIT_SCOPE", await permit(), undefined, other.archive);
	});

	test("forged signature", async () => {
		const stranger = await permit({}, [await generateKeyPair()]);
		await refuses("SIGNATURE_UNKNOWN_KEY", stranger);
		const [signature] = stranger.signatures;
		const forged = { ...stranger, signatures: [{ ...signature!, keyid: samples.key.publicKey.keyid }] };
		await refuses("SIGNATURE_INVALID", forged);
		await refuses("SIGNATURE_MISSING", await permit({}, []));
	});

	test("permit of a signer who is not trusted any more", async () => {
		using fake = await onTwo();
		const successor = await generateKeyPair();
		const fresh = await signedSample({ version: "1.0.0", offset: 20, signers: [successor] });
		trustKeys(fake.host.layout.root, ["sample"], [successor]);
		await refuses("SIGNATURE_UNKNOWN_KEY", await permit(), fake, fresh.archive);
	});

	test("permit of a revoked key: it counts for no step, whatever else of that key goes on", async () => {
		using fake = await onTwo();
		const successor = await generateKeyPair();
		const stolen = await permit();
		// The bundle to go to is one of those that go on; a permit's digest in that list makes it no manifest.
		const manifests = [to.manifestSha256, sha256(stolen.payload)];
		const revoked = [{ key: samples.key.publicKey, reason: "stolen", manifests }];
		const entry = { names: ["sample"], threshold: 1, keys: [successor.publicKey], revoked };
		writeFileSync(fake.host.layout.publishers, serializePublishers({ publishers: [entry] }));
		await refuses("SIGNATURE_REVOKED_KEY", stolen, fake);
		await refuses("SIGNATURE_REVOKED_KEY", await permit({}, [samples.key, successor]), fake);
		await take(fake, samples.v1.archive, { named: await permit({}, [successor]) });
		expect(fake.kernel.running()).toEqual([`flow-dissector ${BLUE} 1.0.0`]);
	});

	test("one signer alone, where the publisher's threshold is two", async () => {
		using fake = await onTwo();
		const second = await generateKeyPair();
		const both = await signedSample({ version: "1.0.0", offset: 20, signers: [samples.key, second] });
		trustKeys(fake.host.layout.root, ["sample"], [samples.key, second], 2);
		await refuses("SIGNATURE_THRESHOLD", await permit(), fake, both.archive);
		await take(fake, both.archive, { named: await permit({}, [samples.key, second]) });
		expect(fake.kernel.running()).toEqual([`flow-dissector ${BLUE} 1.0.0`]);
	});
});
