import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { formatPublicKey } from "#signing/public-key.ts";
import { BLUE, openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { install } from "./install.ts";
import { readPublishers } from "./publishers.ts";
import { trustAdd, trustList, trustRemove } from "./trust.ts";

let samples: Samples;
let first: SecretKey;
let second: SecretKey;
beforeAll(async () => {
	samples = await makeSamples();
	[first, second] = [await generateKeyPair("first"), await generateKeyPair("second")];
});

const line = (key: SecretKey) => formatPublicKey(key.publicKey);
const names = (list: readonly { names: readonly string[] }[]) => list.map((entry) => entry.names.join());

test("a key is added to a name's own entry; the threshold stays unless given", async () => {
	using fake = openFakeHost(samples);
	await fake.locked((lock) => trustAdd(lock, { name: "gro", keys: [line(first)] }));
	const both = await fake.locked((lock) =>
		trustAdd(lock, { name: "gro", keys: [line(second)], threshold: 2 }),
	);
	expect(both.publishers[1]).toEqual({
		...{ names: ["gro"], threshold: 2 },
		keys: [first, second].map(({ publicKey: { keyid, comment } }) => ({ keyid, comment })),
	});
	const again = await fake.locked((lock) => trustAdd(lock, { name: "gro", keys: [line(first)] }));
	expect(again).toMatchObject({ changed: false, publishers: both.publishers });
	expect(trustList(fake.host)).toEqual(both.publishers);
});

test("shadowing: a name is put before the pattern that would decide for it", async () => {
	using fake = openFakeHost(samples);
	for (const name of ["*", "acme-*", "acme-gro"]) {
		await fake.locked((lock) => trustAdd(lock, { name, keys: [line(first)] }));
	}
	expect(names(trustList(fake.host))).toEqual(["sample", "acme-gro", "acme-*", "*"]);
});

test("removing a name, a key of a name, a key everywhere", async () => {
	using fake = openFakeHost(samples);
	for (const name of ["tso", "gro"]) {
		await fake.locked((lock) => trustAdd(lock, { name, keys: [line(first), line(second)] }));
	}
	const { keyid } = first.publicKey;
	const one = await fake.locked((lock) => trustRemove(lock, { name: "tso", keyid }));
	expect(one.publishers.map((entry) => entry.keys.length)).toEqual([1, 1, 2]);
	const everywhere = await fake.locked((lock) => trustRemove(lock, { keyid: second.publicKey.keyid }));
	expect(names(everywhere.publishers)).toEqual(["sample", "gro"]);
	const named = await fake.locked((lock) => trustRemove(lock, { name: "gro" }));
	expect(names(named.publishers)).toEqual(["sample"]);
	const unknown = fake.locked((lock) => trustRemove(lock, { name: "gro" }));
	await expect(unknown).rejects.toMatchObject({ code: "HOST_TRUST_UNKNOWN", exit: 1 });
});

test("a threshold can be neither left unreachable nor be 0 or a fraction", async () => {
	using fake = openFakeHost(samples);
	const keys = [line(first), line(second)];
	for (const threshold of [0, -1, 3, 1.5, Number.NaN]) {
		const adding = fake.locked((lock) => trustAdd(lock, { name: "gro", keys, threshold }));
		await expect(adding, String(threshold)).rejects.toMatchObject({ code: "HOST_TRUST_THRESHOLD", exit: 2 });
	}
	await fake.locked((lock) => trustAdd(lock, { name: "gro", keys, threshold: 2 }));
	const { keyid } = first.publicKey;
	const removing = fake.locked((lock) => trustRemove(lock, { name: "gro", keyid }));
	await expect(removing).rejects.toMatchObject({ code: "HOST_TRUST_THRESHOLD" });
	expect(readPublishers(fake.host).publishers[1]?.keys).toHaveLength(2);
});

test("a bad name or key changes nothing", async () => {
	using fake = openFakeHost(samples);
	const before = readFileSync(fake.host.layout.publishers);
	const badName = fake.locked((lock) => trustAdd(lock, { name: "Bad Name", keys: [line(first)] }));
	await expect(badName).rejects.toMatchObject({ code: "PUBLISHERS_MALFORMED" });
	const badKey = fake.locked((lock) =>
		trustAdd(lock, { name: "gro", keys: [line(first).replace("kfn-", "x")] }),
	);
	await expect(badKey).rejects.toMatchObject({ code: "KEY_MALFORMED" });
	expect(readFileSync(fake.host.layout.publishers)).toEqual(before);
});

test("what is active and no longer trusted is named, and cannot be installed again", async () => {
	using fake = openFakeHost(samples);
	const bundle = samples.v1.archive;
	await fake.locked((lock) => install(lock, { bundle, scope: BLUE }));
	const report = await fake.locked((lock) => trustRemove(lock, { name: "sample" }));
	expect(report).toEqual({ changed: true, publishers: [], orphaned: ["sample"] });
	expect(existsSync(fake.host.layout.publishers)).toBe(true);
	const again = fake.locked((lock) => install(lock, { bundle, scope: BLUE }));
	await expect(again).rejects.toMatchObject({ code: "PUBLISHERS_NO_MATCH", exit: 3 });
});

test("a damaged publishers file trusts nobody", async () => {
	using fake = openFakeHost(samples);
	writeFileSync(fake.host.layout.publishers, "{");
	const installing = fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE }));
	await expect(installing).rejects.toMatchObject({ code: "PUBLISHERS_MALFORMED" });
});
