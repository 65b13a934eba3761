// The operator's map of vendors: what add and remove write, and what they refuse to.
import { existsSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { distrustVendor, trustVendor } from "./trust-vendors.ts";
import { readVendors, vendorsInForce } from "./vendors.ts";

const PCI = { bus: "pci", vendor: "e9a1", devices: "all", threshold: undefined } as const;

let samples: Samples;
let ann: SecretKey;
let bob: SecretKey;
beforeAll(async () => {
	[samples, ann, bob] = await Promise.all([makeSamples(), generateKeyPair("ann"), generateKeyPair("bob")]);
});

test("a vendor is trusted for its hardware, more keys come to it, and go", async () => {
	using fake = openFakeHost(samples);
	const add = (key: SecretKey, threshold?: number) =>
		fake.locked((lock) => trustVendor(lock, { ...PCI, threshold, issuer: "example", keys: [key.publicKey] }));
	expect(await add(ann)).toMatchObject({ changed: true });
	expect(await add(ann)).toMatchObject({ changed: false });
	await add(bob, 2);
	expect(vendorsInForce(fake.host).vendors).toMatchObject([
		{ issuer: "example", threshold: 2, keys: [{}, {}] },
	]);
	const drop = (threshold?: number) =>
		fake.locked((lock) => distrustVendor(lock, { ...PCI, threshold, keyid: ann.publicKey.keyid }));
	await expect(drop()).rejects.toMatchObject({ code: "HOST_TRUST_THRESHOLD", exit: 2 });
	expect(readVendors(fake.host).vendors[0]!.keys).toHaveLength(2);
	await drop(1);
	await fake.locked((lock) => distrustVendor(lock, { ...PCI, keyid: undefined }));
	expect(readVendors(fake.host).vendors).toEqual([]);
	await expect(drop(1)).rejects.toMatchObject({ code: "HOST_TRUST_UNKNOWN", exit: 1 });
});

test("what no host could read is not written", async () => {
	using fake = openFakeHost(samples);
	const bad = fake.locked((lock) =>
		trustVendor(lock, { ...PCI, vendor: "0xe9a1", issuer: "example", keys: [ann.publicKey] }),
	);
	await expect(bad).rejects.toMatchObject({ code: "VENDORS_MALFORMED" });
	expect(existsSync(fake.host.layout.vendors)).toBe(false);
});
