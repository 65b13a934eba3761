// An active function that can no longer be proved, its store damaged or its publisher not trusted: it must neither stop
// changes of the others nor the way back, it is never loaded, and it can always be removed.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { type SignedSample, signedSample, trustKeys } from "#test/harness/host-world.ts";
import { currentGeneration, readApplied } from "./generations.ts";
import type { Host } from "./host.ts";
import { install } from "./install.ts";
import { writeJournal } from "./journal.ts";
import { withLock } from "./lock.ts";
import { remove } from "./remove.ts";
import { rollback } from "./rollback.ts";
import { status } from "./status.ts";
import { upgrade } from "./upgrade.ts";

let key: SecretKey;
const bundles = new Map<string, SignedSample>();

beforeAll(async () => {
	key = await generateKeyPair("test");
	for (const name of ["weak", "other"])
		for (const [version, offset] of [
			["1.0.0", 20],
			["1.1.0", 24],
		] as const)
			bundles.set(`${name} ${version}`, await signedSample({ name, version, offset, signers: [key] }));
});

const bundleOf = (name: string, version: string) => bundles.get(`${name} ${version}`)!;
const add = (fake: FakeHost, name: string, version: string, scope: string) =>
	fake.locked((lock) => install(lock, { bundle: bundleOf(name, version).archive, scope }));
const up = (fake: FakeHost, name: string, version: string) =>
	fake.locked((lock) => upgrade(lock, { bundle: bundleOf(name, version).archive }));
const drop = (fake: FakeHost, name: string) => fake.locked((lock) => remove(lock, { name }));
const back = (fake: FakeHost, to?: number) => fake.locked((lock) => rollback(lock, { to }));

const WEAK = `flow-dissector ${BLUE} 1.0.0`;
const OTHER = (version: string) => `flow-dissector ${RED} ${version}`;

/** "weak" runs in BLUE and cannot be proved any more; "other" runs in RED. */
async function weakened(spoil: (fake: FakeHost) => void): Promise<FakeHost> {
	const fake = openFakeHost({ key });
	trustKeys(fake.host.layout.root, ["weak", "other"], [key]);
	await add(fake, "weak", "1.0.0", BLUE);
	await add(fake, "other", "1.0.0", RED);
	spoil(fake);
	return fake;
}

const damageStore = ({ host }: FakeHost) =>
	writeFileSync(join(host.layout.storeEntry(bundleOf("weak", "1.0.0").sha256), "obj/sample.bpf.o"), "evil");
const untrust = ({ host }: FakeHost) => trustKeys(host.layout.root, ["other"], [key]);

describe.each([
	["its object was damaged in the store", damageStore, "store", "LOAD_FILE_DIGEST"],
	["its publisher is not trusted any more", untrust, "untrusted", "LOAD_PUBLISHERS_NO_MATCH"],
])("%s", (_name, spoil, drift, code) => {
	const warning = expect.stringMatching(
		new RegExp(`^flow-dissector in ${BLUE} keeps running as it is, but would not load again.*\\[${code}\\]`),
	);

	test("the others are upgraded, rolled back, removed and installed, and it runs on untouched", async () => {
		using fake = await weakened(spoil);
		const pin = () => fake.kernel.read().pins.find(({ scope }) => scope === BLUE);
		const before = pin();
		const report = await up(fake, "other", "1.1.0");
		expect(report.warnings).toEqual([warning]);
		expect(report.functions).toMatchObject([
			{ scope: BLUE, step: "keep", verified: null, from: "1.0.0" },
			{ scope: RED, step: "replace", verified: "loader" },
		]);
		expect((await back(fake)).warnings).toEqual([warning]);
		expect((await drop(fake, "other")).warnings).toEqual([warning]);
		expect((await add(fake, "other", "1.1.0", RED)).warnings).toEqual([warning]);
		expect(fake.kernel.running()).toEqual([WEAK, OTHER("1.1.0")]);
		expect(pin()).toEqual(before);
	});

	test("status shows the drift, and still knows who had verified what runs", async () => {
		using fake = await weakened(spoil);
		await up(fake, "other", "1.1.0");
		await back(fake);
		const seen = await status(fake.host);
		expect(seen).toMatchObject({
			health: "drift",
			drift: [{ kind: drift, scope: BLUE }],
			functions: [{ scope: BLUE, running: true, verified: "loader" }, { scope: RED }],
		});
		expect(readApplied(fake.host, seen.generation)?.functions).toMatchObject([
			{ scope: BLUE, step: "keep" },
			{ scope: RED },
		]);
	});

	test("it can be removed itself", async () => {
		using fake = await weakened(spoil);
		expect(await drop(fake, "weak")).toMatchObject({ changed: true, warnings: [] });
		expect(fake.kernel.running()).toEqual([OTHER("1.0.0")]);
		expect(await status(fake.host)).toMatchObject({ health: "good" });
	});

	test("once it does not run it is never loaded, and the change of another says so", async () => {
		using fake = await weakened(spoil);
		fake.kernel.reboot();
		const report = await up(fake, "other", "1.1.0");
		expect(report.functions).toMatchObject([
			{ scope: BLUE, step: "refused" },
			{ scope: RED, step: "attach" },
		]);
		expect(report.warnings).toEqual([
			expect.stringMatching(new RegExp(`does not run and was not loaded: .*\\[${code}\\]`)),
		]);
		expect(fake.kernel.running()).toEqual([OTHER("1.1.0")]);
	});

	test("after an interrupted change, what can be undone is undone, and every command goes on", async () => {
		for (const command of [
			(fake: FakeHost) => up(fake, "other", "1.1.0"),
			(fake: FakeHost) => drop(fake, "weak"),
			(fake: FakeHost) => drop(fake, "other"),
			(fake: FakeHost) => back(fake, 0),
		]) {
			using fake = await weakened(spoil);
			await interrupted(fake);
			const report = await command(fake);
			expect(report).toMatchObject({ recovered: true, changed: true });
			expect(report.warnings).toContainEqual(warning);
			const { health } = await status(fake.host);
			expect(health).not.toBe("pending");
		}
	});

	test("recovery alone puts the others back", async () => {
		using fake = await weakened(spoil);
		await interrupted(fake);
		expect(fake.kernel.running()).toEqual([WEAK, OTHER("1.1.0")]);
		expect(await add(fake, "other", "1.0.0", RED)).toMatchObject({ changed: false, recovered: true });
		expect(fake.kernel.running()).toEqual([WEAK, OTHER("1.0.0")]);
	});

	test("going back to a generation that has it is refused, and what runs stays", async () => {
		using fake = await weakened(spoil);
		await drop(fake, "weak");
		await expect(back(fake)).rejects.toMatchObject({ code });
		expect(fake.kernel.running()).toEqual([OTHER("1.0.0")]);
		expect(await status(fake.host)).toMatchObject({ health: "good" });
	});
});

test("an upgrade of the very function that cannot be proved takes it to what can be", async () => {
	using fake = await weakened(damageStore);
	expect(await up(fake, "weak", "1.1.0")).toMatchObject({ changed: true, warnings: [] });
	expect(fake.kernel.running()).toEqual([`flow-dissector ${BLUE} 1.1.0`, OTHER("1.0.0")]);
});

test("a function that the change names must be proved, whatever else may stay", async () => {
	using fake = await weakened(damageStore);
	trustKeys(fake.host.layout.root, ["nobody"], [key]);
	await expect(back(fake)).resolves.toMatchObject({ changed: true });
	await expect(back(fake, 2)).rejects.toMatchObject({ code: "LOAD_PUBLISHERS_NO_MATCH" });
});

test("an interrupted change whose generation lost its plan blocks no rollback", async () => {
	using fake = await weakened(() => undefined);
	await fake.locked((lock) => writeJournal(lock, { from: 2, to: 3 }));
	writeFileSync(fake.host.layout.plan(2), "{ torn");
	await expect(up(fake, "other", "1.1.0")).rejects.toMatchObject({ code: "HOST_PLAN_MALFORMED" });
	expect(fake.kernel.running()).toEqual([WEAK, OTHER("1.0.0")]);
	const report = await back(fake, 1);
	expect(report.warnings).toEqual([expect.stringContaining("could not be undone")]);
	expect(fake.kernel.running()).toEqual([WEAK]);
	expect(await status(fake.host)).toMatchObject({ generation: 3, health: "good" });
});

/** As a kill between swap and commit leaves it: the kernel runs the next version of "other", `current` is the old one. */
async function interrupted(fake: FakeHost): Promise<void> {
	const { host } = fake;
	const before = currentGeneration(host);
	const { loader } = host;
	let swapped = false;
	const ending: Host = {
		...host,
		loader: {
			...loader,
			inspect: () => never(),
			apply: (...args) => {
				if (swapped) never();
				swapped = true;
				return loader.apply(...args);
			},
		},
	};
	const bundle = bundleOf("other", "1.1.0").archive;
	await expect(withLock(ending, "upgrade", (lock) => upgrade(lock, { bundle }))).rejects.toThrow("power");
	expect(currentGeneration(host)).toBe(before);
}

function never(): never {
	throw new Error("the power went");
}
