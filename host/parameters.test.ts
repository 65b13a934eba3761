// Parameters of what is installed: what a program has no place for is refused before anything is stored.

import { existsSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import type { Config } from "#bundle/config.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { BLUE, type FakeHost, openFakeHost } from "#test/harness/fake-host.ts";
import { type SignedSample, signedSample } from "#test/harness/host-world.ts";
import { readCurrentPlan } from "./generations.ts";
import { install } from "./install.ts";
import { storedDigests } from "./store.ts";
import { upgrade } from "./upgrade.ts";

let key: SecretKey;
let v1: SignedSample;
let v2: SignedSample;

beforeAll(async () => {
	key = await generateKeyPair("test");
	v1 = await signedSample({ version: "1.0.0", offset: 20, places: 2, signers: [key] });
	v2 = await signedSample({ version: "1.1.0", offset: 20, places: 1, signers: [key] });
});

const add = (fake: FakeHost, sample: SignedSample, config?: Config) =>
	fake.locked((lock) => install(lock, { bundle: sample.archive, scope: BLUE, config }));

test("a list longer than the program has places for is refused before anything is stored, and the hint names the limit", async () => {
	using fake = openFakeHost({ key });
	await expect(add(fake, v1, { ports: [1, 2, 3] })).rejects.toMatchObject({
		code: "BUNDLE_CONFIG_TOO_MANY",
		exit: 1,
		hint: expect.stringContaining("at most 2 elements"),
		details: { parameter: "ports", given: 3, limit: 2 },
	});
	expect(storedDigests(fake.host)).toEqual([]);
	expect(existsSync(fake.host.layout.generations)).toBe(false);
	await add(fake, v1, { ports: [1, 2] });
	expect(readCurrentPlan(fake.host).functions[0]!.config).toEqual({ depth: 1, ports: [1, 2] });
});

test("an upgrade to a version with fewer places is refused before anything is stored, too", async () => {
	using fake = openFakeHost({ key });
	await add(fake, v1, { ports: [1, 2] });
	await expect(fake.locked((lock) => upgrade(lock, { bundle: v2.archive }))).rejects.toMatchObject({
		code: "BUNDLE_CONFIG_TOO_MANY",
		details: { limit: 1 },
	});
	expect(storedDigests(fake.host)).toEqual([v1.sha256]);
	expect(readCurrentPlan(fake.host).generation).toBe(1);
});
