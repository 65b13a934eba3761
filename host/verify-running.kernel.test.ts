// kfn verify --running on a real kernel: the right program is proved, and one that somebody put into our pins is found out.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { skipUnlessKernel } from "#test/harness/feature.ts";
import { makeSamples, type Samples, type SignedSample, signedSample } from "#test/harness/host-world.ts";
import type { LoaderWorld } from "#test/harness/loader-contract.ts";
import { openRealWorld } from "#test/harness/loader-world.ts";
import { readCurrentPlan } from "./generations.ts";
import { type Host, openHost } from "./host.ts";
import { install } from "./install.ts";
import { withLock } from "./lock.ts";
import { upgrade } from "./upgrade.ts";
import { verifyRunning } from "./verify-running.ts";

let samples: Samples;
let parameters: SignedSample;

beforeAll(async () => {
	samples = await makeSamples();
	parameters = await signedSample({ version: "3.0.0", places: 2, signers: [samples.key] });
});
beforeEach((context) => skipUnlessKernel(context));

interface Installed extends AsyncDisposable {
	readonly world: LoaderWorld;
	readonly host: Host;
	readonly scope: string;
}

async function installed(
	sample: SignedSample,
	config?: Record<string, number | number[]>,
): Promise<Installed> {
	const world = await openRealWorld(samples.key);
	const scope = `netns:${await world.addNamespace()}`;
	const host = openHost({ root: world.root, loader: world.loader });
	await withLock(host, "install", (lock) => install(lock, { bundle: sample.archive, scope, config }));
	return { world, host, scope, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

test("the verified program is proved, before and after a swap, with its parameters", async () => {
	await using it = await installed(samples.v1);
	const [one] = (await verifyRunning(it.host)).functions;
	expect(one).toMatchObject({ function: "flow-dissector", scope: it.scope, proof: "proved", reason: null });
	expect(one?.running?.id).not.toBe(one?.copy?.id);
	expect({ ...one?.running, id: 0 }).toEqual({ ...one?.copy, id: 0 });
	await withLock(it.host, "upgrade", (lock) => upgrade(lock, { bundle: parameters.archive }));
	await withLock(it.host, "install", (lock) =>
		install(lock, { bundle: parameters.archive, scope: it.scope, config: { ports: [4789], depth: 2 } }),
	);
	const [set] = (await verifyRunning(it.host, { name: "sample", scope: it.scope })).functions;
	expect(set).toMatchObject({ proof: "proved" });
	expect(set?.running?.kernelTag).not.toBe(one?.running?.kernelTag);
});

test("substituted program: another version in our pins is found out", async () => {
	await using it = await installed(samples.v1);
	const before = readCurrentPlan(it.host);
	await withLock(it.host, "upgrade", (lock) => upgrade(lock, { bundle: samples.v2.archive }));
	// What an attacker with the loader's rights, and a store full of old bundles, would do.
	await it.world.loader.apply(before, 2);
	await expect(verifyRunning(it.host)).rejects.toMatchObject({
		code: "HOST_RUNNING_DIFFERS",
		exit: 3,
		details: { functions: [{ proof: "differs", reason: "its kernel tag is another one" }] },
	});
});

test("substituted parameters: the same program with other values is found out", async () => {
	await using it = await installed(parameters, { depth: 2 });
	const before = readCurrentPlan(it.host);
	await withLock(it.host, "install", (lock) =>
		install(lock, { bundle: parameters.archive, scope: it.scope, config: { depth: 3 } }),
	);
	await it.world.loader.apply(before, 2);
	await expect(verifyRunning(it.host)).rejects.toMatchObject({ code: "HOST_RUNNING_DIFFERS", exit: 3 });
});

test("what does not run, and what cannot be verified, is not proved", async () => {
	await using it = await installed(samples.v1);
	const plan = readCurrentPlan(it.host);
	await it.world.loader.apply({ ...plan, functions: [] }, 2);
	await expect(verifyRunning(it.host)).rejects.toMatchObject({
		code: "HOST_RUNNING_UNPROVED",
		details: { functions: [{ proof: "unknown", running: null, error: { code: "LOAD_NOT_ACTIVE" } }] },
	});
	await it.world.loader.apply(plan, 2);
	writeFileSync(join(it.host.layout.storeEntry(samples.v1.sha256), "obj/sample.bpf.o"), "not an object");
	await expect(verifyRunning(it.host)).rejects.toMatchObject({
		code: "HOST_RUNNING_UNPROVED",
		details: { functions: [{ proof: "unknown", error: { code: "LOAD_FILE_DIGEST" } }] },
	});
	await expect(verifyRunning(it.host, { name: "gro" })).rejects.toMatchObject({ code: "HOST_NOT_INSTALLED" });
});
