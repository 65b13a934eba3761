// Parameters of what is installed: they stay as they were set until somebody says otherwise, are shown where they are not at
// their defaults, and what a program has no place for is refused before anything is stored.

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { Config } from "#bundle/config.ts";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { type SignedSample, signedSample } from "#test/harness/host-world.ts";
import { readCurrentPlan } from "./generations.ts";
import { install } from "./install.ts";
import { list } from "./list.ts";
import { remove } from "./remove.ts";
import { status } from "./status.ts";
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

const add = (fake: FakeHost, sample: SignedSample, config?: Config, reset?: boolean) =>
	fake.locked((lock) => install(lock, { bundle: sample.archive, scope: BLUE, config, reset }));
const configOf = (fake: FakeHost) => readCurrentPlan(fake.host).functions[0]!.config;

test("installing again keeps what was set, lays new values over it, and changes nothing where nothing is new", async () => {
	using fake = openFakeHost({ key });
	await add(fake, v1, { ports: [1, 2] });
	expect(await add(fake, v1)).toMatchObject({ changed: false, generation: 1 });
	expect(await add(fake, v1, { depth: 7 })).toMatchObject({ changed: true, generation: 2 });
	expect(configOf(fake)).toEqual({ depth: 7, ports: [1, 2] });
	expect(await add(fake, v1, { ports: [] })).toMatchObject({ changed: true, generation: 3 });
	expect(configOf(fake)).toEqual({ depth: 7, ports: [] });
});

test("a reset takes the defaults for all that is not set in the same breath", async () => {
	using fake = openFakeHost({ key });
	await add(fake, v1, { depth: 7, ports: [1, 2] });
	await add(fake, v1, { depth: 9 }, true);
	expect(configOf(fake)).toEqual({ depth: 9, ports: [] });
	await add(fake, v1, undefined, true);
	expect(configOf(fake)).toEqual({ depth: 1, ports: [] });
	expect(await add(fake, v1, undefined, true)).toMatchObject({ changed: false });
});

test("another scope starts with the defaults, and what was removed was forgotten", async () => {
	using fake = openFakeHost({ key });
	await add(fake, v1, { depth: 7 });
	await fake.locked((lock) => install(lock, { bundle: v1.archive, scope: RED }));
	expect(readCurrentPlan(fake.host).functions.map(({ config }) => config["depth"])).toEqual([7, 1]);
	await fake.locked((lock) => remove(lock, { name: "sample" }));
	await add(fake, v1);
	expect(configOf(fake)).toEqual({ depth: 1, ports: [] });
});

test("status and list tell what is not at its default; null where the stored manifest cannot say", async () => {
	using fake = openFakeHost({ key });
	await add(fake, v1);
	expect((await status(fake.host)).functions).toMatchObject([{ set: {}, config: { depth: 1, ports: [] } }]);
	await add(fake, v1, { ports: [4789] });
	expect((await status(fake.host)).functions).toMatchObject([{ set: { ports: [4789] } }]);
	const listed = list(fake.host);
	expect(listed.installed).toMatchObject([{ set: { ports: [4789] }, config: { depth: 1, ports: [4789] } }]);
	expect(listed.generations.map(({ functions }) => functions?.[0]?.set)).toEqual([{}, { ports: [4789] }]);
	writeFileSync(join(fake.host.layout.storeEntry(v1.sha256), "kfn.json"), "{}");
	expect((await status(fake.host)).functions).toMatchObject([{ set: null }]);
	expect(list(fake.host).installed).toMatchObject([{ set: null }]);
});

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
