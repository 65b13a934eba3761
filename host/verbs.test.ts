// What install, upgrade, rollback and remove accept, refuse and say, on a fake kernel.
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { BLUE, type FakeHost, openFakeHost, RED } from "#test/harness/fake-host.ts";
import { makeSamples, type Samples, signedSample, trustKeys } from "#test/harness/host-world.ts";
import { generationNumbers, readCurrentPlan } from "./generations.ts";
import { install } from "./install.ts";
import { list } from "./list.ts";
import { readLog } from "./log.ts";
import { remove } from "./remove.ts";
import { rollback } from "./rollback.ts";
import { status } from "./status.ts";
import { storedDigests } from "./store.ts";
import { upgrade } from "./upgrade.ts";
import { verifyHost } from "./verify.ts";

let samples: Samples;
beforeAll(async () => {
	samples = await makeSamples();
});

const add = (fake: FakeHost, bundle: Uint8Array, scope?: string) =>
	fake.locked((lock) => install(lock, { bundle, scope }));
const up = (fake: FakeHost, bundle: Uint8Array, scope?: string) =>
	fake.locked((lock) => upgrade(lock, { bundle, scope }));
const back = (fake: FakeHost, to?: number) => fake.locked((lock) => rollback(lock, { to }));
const drop = (fake: FakeHost, name: string, options: { scope?: string; purge?: boolean } = {}) =>
	fake.locked((lock) => remove(lock, { name, ...options }));

test("steps are told in the documented order", async () => {
	using fake = openFakeHost(samples);
	const told: string[] = [];
	const onStep = ({ step }: { step: string }) => void told.push(step);
	await fake.locked((lock) => install(lock, { bundle: samples.v1.archive, scope: BLUE, onStep }));
	const order = "verify import preflight write journal apply check record commit mark finish log";
	expect(told.join(" ")).toBe(order);
});

test("without a scope, the caller's namespace is meant", async () => {
	using fake = openFakeHost(samples);
	expect(await add(fake, samples.v1.archive)).toMatchObject({ functions: [{ scope: "netns:root" }] });
	fake.kernel.change((state) => {
		state.namespaces["/proc/self/ns/net"] = 77;
	});
	await expect(add(fake, samples.v1.archive)).rejects.toMatchObject({ code: "HOST_SCOPE_UNNAMED", exit: 2 });
});

test("install refuses another version, another provider, and changes nothing for the same bundle", async () => {
	using fake = openFakeHost(samples);
	trustKeys(fake.host.layout.root, ["sample", "rival"], [samples.key]);
	await add(fake, samples.v2.archive, BLUE);
	const other = add(fake, samples.v1.archive, BLUE);
	await expect(other).rejects.toMatchObject({ code: "HOST_ALREADY_INSTALLED", hint: /kfn upgrade sample/ });
	const rival = await signedSample({ name: "rival", version: "1.0.0", signers: [samples.key] });
	await expect(add(fake, rival.archive, BLUE)).rejects.toMatchObject({ code: "HOST_FUNCTION_TAKEN" });
	expect(await add(fake, samples.v2.archive, BLUE)).toMatchObject({
		...{ changed: false, generation: 1, previous: 1 },
		functions: [{ step: "keep", version: "1.1.0" }],
	});
	expect(generationNumbers(fake.host)).toEqual([1]);
	expect(await add(fake, rival.archive, RED)).toMatchObject({ changed: true, generation: 2 });
});

test("unsigned and wrongly signed bundles never reach the store", async () => {
	using fake = openFakeHost(samples);
	const unsigned = await signedSample({ version: "1.0.0" });
	await expect(add(fake, unsigned.archive, BLUE)).rejects.toMatchObject({
		code: "SIGNATURE_MISSING",
		exit: 3,
	});
	const stranger = await makeSamples();
	const forged = add(fake, stranger.v1.archive, BLUE);
	await expect(forged).rejects.toMatchObject({ code: "SIGNATURE_UNKNOWN_KEY", exit: 3 });
	const bytes = Buffer.from(samples.v1.archive);
	bytes[bytes.length - 20] = bytes[bytes.length - 20]! ^ 1;
	await expect(add(fake, bytes, BLUE)).rejects.toMatchObject({ code: expect.stringMatching(/^BUNDLE_/) });
	expect(storedDigests(fake.host)).toEqual([]);
	expect(generationNumbers(fake.host)).toEqual([]);
});

test("upgrade goes up only, everywhere or in one scope", async () => {
	using fake = openFakeHost(samples);
	await expect(up(fake, samples.v2.archive)).rejects.toMatchObject({ code: "HOST_NOT_INSTALLED" });
	await add(fake, samples.v1.archive, BLUE);
	await add(fake, samples.v1.archive, RED);
	const elsewhere = up(fake, samples.v2.archive, "netns:root");
	await expect(elsewhere).rejects.toMatchObject({ code: "HOST_NOT_INSTALLED", hint: /blue.*red/ });
	const one = await up(fake, samples.v2.archive, BLUE);
	expect(one.functions.map((entry) => [entry.version, entry.step])).toEqual([
		["1.1.0", "replace"],
		["1.0.0", "keep"],
	]);
	const all = await up(fake, samples.v3.archive);
	expect(all.reason).toBe("upgrade sample 1.1.0, 1.0.0 → 2.0.0");
	expect(fake.kernel.running()).toEqual([`flow-dissector ${BLUE} 2.0.0`, `flow-dissector ${RED} 2.0.0`]);
	expect(await up(fake, samples.v3.archive)).toMatchObject({ changed: false, generation: 4 });
	await expect(up(fake, samples.v1.archive)).rejects.toMatchObject({
		code: "HOST_DOWNGRADE",
		hint: /rollback/,
	});
	const rebuilt = await signedSample({ version: "2.0.0", offset: 99, signers: [samples.key] });
	await expect(up(fake, rebuilt.archive)).rejects.toMatchObject({ code: "HOST_SAME_VERSION" });
});

test("rollback makes a new generation that equals an old one", async () => {
	using fake = openFakeHost(samples);
	await expect(back(fake)).rejects.toMatchObject({ code: "HOST_NO_GENERATION" });
	await add(fake, samples.v1.archive, BLUE);
	await up(fake, samples.v2.archive);
	await up(fake, samples.v3.archive);
	expect(await back(fake)).toMatchObject({ generation: 4, functions: [{ version: "1.1.0", from: "2.0.0" }] });
	expect(await back(fake, 1)).toMatchObject({ generation: 5, functions: [{ version: "1.0.0" }] });
	expect(readCurrentPlan(fake.host)).toMatchObject({ generation: 5, reason: "rollback to generation 1" });
	expect(await back(fake, 5)).toMatchObject({ changed: false });
	for (const to of [6, 99, -1, 1.5]) {
		await expect(back(fake, to)).rejects.toMatchObject({ code: "HOST_NO_GENERATION", exit: 1 });
	}
	expect(await back(fake, 0)).toMatchObject({
		generation: 6,
		functions: [],
		detached: [{ version: "1.0.0" }],
	});
	expect(fake.kernel.running()).toEqual([]);
	expect(list(fake.host).generations.map((entry) => entry.same)).toEqual([
		false,
		false,
		false,
		false,
		false,
		true,
	]);
});

test("rollback leaves a generation whose plan was damaged behind", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	await up(fake, samples.v2.archive);
	writeFileSync(fake.host.layout.plan(2), "{ damaged");
	await expect(status(fake.host)).rejects.toMatchObject({ code: "HOST_PLAN_MALFORMED" });
	await expect(verifyHost(fake.host)).rejects.toMatchObject({ code: "HOST_PLAN_MALFORMED" });
	expect(await back(fake)).toMatchObject({ generation: 3, functions: [{ version: "1.0.0" }] });
	expect(await status(fake.host)).toMatchObject({ health: "good" });
});

test("remove takes out what is asked for; purge also its history, and in the end everything", async () => {
	using fake = openFakeHost(samples);
	trustKeys(fake.host.layout.root, ["sample", "rival"], [samples.key]);
	const rival = await signedSample({ name: "rival", version: "1.0.0", signers: [samples.key] });
	await add(fake, samples.v1.archive, BLUE);
	await add(fake, samples.v1.archive, "netns:root");
	await add(fake, rival.archive, RED);
	await expect(drop(fake, "unknown")).rejects.toMatchObject({ code: "HOST_NOT_INSTALLED" });
	const half = drop(fake, "sample", { scope: BLUE, purge: true });
	await expect(half).rejects.toMatchObject({
		code: "HOST_STILL_ACTIVE",
		details: { scopes: ["netns:root"] },
	});
	const one = await drop(fake, "sample", { scope: BLUE });
	expect(one).toMatchObject({ generation: 4, purged: false, detached: [{ scope: BLUE, bundle: "sample" }] });
	const purged = await drop(fake, "sample", { purge: true });
	expect(purged).toMatchObject({ generation: 5, purged: true });
	expect(generationNumbers(fake.host)).toEqual([5]);
	expect(storedDigests(fake.host)).toEqual([rival.sha256]);
	await expect(back(fake)).rejects.toMatchObject({ code: "HOST_NO_GENERATION", hint: /purged/ });
	await drop(fake, "rival");
	expect(await drop(fake, "rival", { purge: true })).toMatchObject({
		changed: false,
		purged: true,
		generation: 0,
	});
	expect(existsSync(fake.host.layout.state)).toBe(false);
	expect(await add(fake, samples.v1.archive, BLUE)).toMatchObject({ generation: 1 });
});

test("a loader that finds something else running after a change takes the change back", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	const { loader } = fake.host;
	let lying = true;
	const host = {
		...fake.host,
		loader: {
			...loader,
			async inspect(namespaces: readonly string[]) {
				const answer = await loader.inspect(namespaces);
				return lying ? { ...answer, pins: [] } : answer;
			},
		},
	};
	const upgrading = fake.locked((lock) =>
		upgrade({ ...lock, host, fd: lock.fd, command: "upgrade" }, { bundle: samples.v2.archive }),
	);
	await expect(upgrading).rejects.toMatchObject({ code: "HOST_CHECK_FAILED" });
	lying = false;
	expect(await status(host)).toMatchObject({
		generation: 1,
		health: "good",
		functions: [{ version: "1.0.0" }],
	});
	expect(readLog(host).map((entry) => entry.event)).toEqual(["changed", "recovered", "failed"]);
});

test("a recovery that fails too is in the details, and the next command recovers", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	const { loader } = fake.host;
	const host = {
		...fake.host,
		loader: { ...loader, apply: () => Promise.reject(fault("LOAD_KERNEL_REFUSED")) },
	};
	const upgrading = fake.locked((lock) =>
		upgrade({ ...lock, host, fd: lock.fd, command: "upgrade" }, { bundle: samples.v2.archive }),
	);
	await expect(upgrading).rejects.toMatchObject({
		...{ code: "LOAD_KERNEL_REFUSED", hint: /next changing command recovers/ },
		details: { recovery: { code: "LOAD_KERNEL_REFUSED" } },
	});
	expect(await status(fake.host)).toMatchObject({ generation: 1, health: "pending" });
	expect(await up(fake, samples.v2.archive)).toMatchObject({ recovered: true, generation: 2 });
});

test("verify names every bad file, the security faults first", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	await up(fake, samples.v2.archive);
	expect(await verifyHost(fake.host)).toMatchObject({
		generations: 2,
		bundles: [{ active: false }, { active: true }],
	});
	rmSync(fake.host.layout.storeEntry(samples.v1.sha256), { recursive: true });
	const object = join(fake.host.layout.storeEntry(samples.v2.sha256), "obj/sample.bpf.o");
	writeFileSync(object, "evil");
	await expect(verifyHost(fake.host)).rejects.toMatchObject({
		...{ code: "HOST_STORE_DIGEST", exit: 3 },
		details: { path: object, problems: [{ code: "HOST_STORE_MISSING" }, { code: "HOST_STORE_DIGEST" }] },
	});
	trustKeys(fake.host.layout.root, ["other"], [samples.key]);
	await add(fake, samples.v2.archive, BLUE).catch(() => undefined);
	await expect(verifyHost(fake.host)).rejects.toMatchObject({ exit: 3 });
});

test("a reboot is drift until the same bundle is installed again or anything is changed", async () => {
	using fake = openFakeHost(samples);
	await add(fake, samples.v1.archive, BLUE);
	fake.kernel.reboot();
	expect(await status(fake.host)).toMatchObject({ health: "drift", functions: [{ running: false }] });
	expect(await add(fake, samples.v1.archive, BLUE)).toMatchObject({
		changed: false,
		functions: [{ step: "attach" }],
	});
	expect(await status(fake.host)).toMatchObject({ health: "good" });
	expect(readdirSync(fake.host.layout.generations)).toEqual(["1"]);
});

function fault(code: string): Error {
	return Object.assign(new Error("refused"), { code, exit: 1, hint: undefined, details: {} });
}
