import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type KernelCertificate, parseKernelCertificate } from "#signing/kernel/certificate.ts";
import { generateKernelKey } from "#signing/kernel/secret-key.ts";
import { openFakeHost } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples } from "#test/harness/host-world.ts";
import { enrolledKeys, enrollKernelKey, kernelKeysStatus, removeKernelKey } from "./kernel-keys.ts";

let samples: Samples;
let certificate: KernelCertificate;
beforeAll(async () => {
	samples = await makeSamples();
	certificate = parseKernelCertificate((await generateKernelKey("test", "x", new Date())).certificate);
});

test("a certificate is enrolled once under its key id, read back, and taken out again", async () => {
	using fake = openFakeHost(samples);
	const { keyid, der } = certificate;
	const file = join(fake.host.layout.kernelKeys, `${keyid}.der`);
	expect(await fake.locked((lock) => enrollKernelKey(lock, certificate))).toBe(true);
	expect(await fake.locked((lock) => enrollKernelKey(lock, certificate))).toBe(false);
	expect(Buffer.compare(readFileSync(file), der)).toBe(0);
	expect(enrolledKeys(fake.host)).toEqual([{ keyid, subject: "CN=test", file }]);
	await fake.locked((lock) => removeKernelKey(lock, keyid));
	expect(enrolledKeys(fake.host)).toEqual([]);
	for (const unknown of [keyid, "../publishers"]) {
		const removed = fake.locked((lock) => removeKernelKey(lock, unknown));
		await expect(removed).rejects.toMatchObject({ code: "HOST_KERNEL_KEY_UNKNOWN", exit: 1 });
	}
});

test("a file under another key's name, and one that is no certificate, are named", async () => {
	using fake = openFakeHost(samples);
	const folder = fake.host.layout.kernelKeys;
	mkdirSync(folder, { recursive: true });
	writeFileSync(join(folder, "00.der"), certificate.der);
	expect(() => enrolledKeys(fake.host)).toThrow(expect.objectContaining({ code: "HOST_STATE_MALFORMED" }));
	writeFileSync(join(folder, "00.der"), "no certificate");
	expect(() => enrolledKeys(fake.host)).toThrow(expect.objectContaining({ code: "KERNEL_KEY_UNUSABLE" }));
});

test("only a keyring that programs can be checked by counts as having the key", async () => {
	using fake = openFakeHost(samples);
	const named = `test: ${certificate.keyid}`;
	const loader = {
		...fake.host.loader,
		kernelKeys: async () => ({
			ok: true as const,
			kernelSignatures: { have: "yes" as const, reason: "a signature that is none was refused" },
			keyrings: {
				".machine": [named],
				".platform": [named],
				".secondary_trusted_keys": ["x: 00"],
				"kernel-keys": null,
			},
			problem: null,
		}),
	};
	const report = await kernelKeysStatus({ ...fake.host, loader }, certificate);
	expect(report.asked).toEqual({ keyid: certificate.keyid, subject: "CN=test", keyrings: [".platform"] });
	expect(report.keyrings.map(({ name, usable }) => [name, usable])).toContainEqual([".machine", false]);
	expect((await kernelKeysStatus({ ...fake.host, loader }, undefined)).asked).toBeNull();
});
