// Enable and disable on fake devices: what is switched, what is remembered, what a failure leaves, and what is refused.
import { beforeAll, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import type { OpenedRevocation } from "#signing/revocation.ts";
import { changeDevice, isActive, TSO_FEATURES, unplug } from "#test/harness/fake-devices.ts";
import { install } from "../install.ts";
import type { RecallLock } from "../recall/lock.ts";
import { mergeRevoked, writeRevoked } from "../recall/revoked.ts";
import { takeOff } from "../recall/take-off.ts";
import { reapply, recover } from "../recover.ts";
import { remove } from "../remove.ts";
import { status } from "../status.ts";
import { upgrade } from "../upgrade.ts";
import { disableOffload, enableOffload } from "./enable.ts";
import { settle } from "./settle.ts";
import { readEntries } from "./state.ts";
import { DeviceWorld, ETH0 } from "./testing/device-world.ts";
import { type Segmenter, segmenter } from "./testing/segmenter.ts";

let key: SecretKey;
let v1: Segmenter;
let v2: Segmenter;
beforeAll(async () => {
	key = await generateKeyPair("test");
	[v1, v2] = [await segmenter("1.0.0", key), await segmenter("2.0.0", key)];
});

async function worldWithV1(): Promise<DeviceWorld> {
	const world = new DeviceWorld(key, new Map([v1, v2].map(({ version, tag }) => [version, tag])));
	world.plugIn(ETH0, v1.tag, "1.0");
	await world.locked((lock) => install(lock, { bundle: v1.archive, scope: ETH0 }));
	return world;
}

/** As a recall writes it down, and as the verdict asks for it. */
function revoke(world: DeviceWorld, { version, tag }: Segmenter): void {
	const revocation = {
		...{ id: tag.slice(5, 37), name: "segmenter", state: "revoked", tags: [tag], builds: [] },
		...{ advisory: null, reason: "it is bad", issued: "2026-11-23T09:59:00Z" },
	} as unknown as OpenedRevocation;
	const at = world.quiet.now().toISOString();
	writeRevoked({ host: world.quiet } as RecallLock, mergeRevoked([], [revocation], at));
	world.revoked.set(tag, { id: revocation.id, reason: `${version} is bad` });
}

const enable = (world: DeviceWorld, host = world.quiet) =>
	world.locked((lock) => enableOffload(lock, { device: ETH0 }), host);
const disable = (world: DeviceWorld) => world.locked((lock) => disableOffload(lock, { device: ETH0 }));
const device = (world: DeviceWorld) => world.kernel.read().devices![ETH0]!;
const active = (world: DeviceWorld) => TSO_FEATURES.filter((name) => isActive(device(world), name));
const BOTH = ["tx-tcp-segmentation", "tx-tcp6-segmentation"];

test("enable switches the features and takes the software off; disable puts both back", async () => {
	using world = await worldWithV1();
	expect(world.kernel.running()).toEqual([`tso ${ETH0} 1.0.0`]);
	expect(await enable(world)).toMatchObject({ moved: [{ device: "eth0", function: "tso", to: "in" }] });
	expect(active(world)).toEqual(BOTH);
	expect(world.kernel.running()).toEqual([]);
	expect(await status(world.quiet)).toMatchObject({
		health: "good",
		functions: [{ running: true, offload: [{ device: "eth0", state: "in", why: null }] }],
	});
	expect(await enable(world)).toMatchObject({ moved: [] });
	await disable(world);
	expect(active(world)).toEqual([]);
	expect(world.kernel.running()).toEqual([`tso ${ETH0} 1.0.0`]);
	expect(readEntries(world.quiet)).toEqual([]);
	await expect(disable(world)).rejects.toMatchObject({ code: "OFFLOAD_NOT_ENABLED" });
});

test("what was on before is on after, and what another way was on is off in between", async () => {
	using world = await worldWithV1();
	changeDevice(world.kernel, ETH0, ({ features }) => {
		features["tx-tcp-segmentation"]!.requested = true;
		features["tx-tcp-mangleid-segmentation"]!.requested = true;
	});
	await enable(world);
	expect(active(world)).toEqual(BOTH);
	await disable(world);
	expect(active(world)).toEqual(["tx-tcp-segmentation", "tx-tcp-mangleid-segmentation"]);
});

test("a feature that does not come on undoes all of it", async () => {
	using world = await worldWithV1();
	changeDevice(world.kernel, ETH0, ({ features, stuck }) => {
		features["tx-tcp6-segmentation"]!.requested = true;
		stuck.push("tx-tcp6-segmentation");
	});
	await expect(enable(world)).rejects.toMatchObject({
		code: expect.stringMatching(/^OFFLOAD_(FEATURE_STUCK|NOT_OUT)$/),
	});
	expect(world.kernel.running()).toEqual([`tso ${ETH0} 1.0.0`]);
});

test("the step that takes the software off fails: the device is as it was", async () => {
	using world = await worldWithV1();
	const host = world.quiet;
	let applies = 0;
	const failing = {
		...host,
		loader: {
			...host.loader,
			apply: (...args: Parameters<typeof host.loader.apply>) => {
				if (++applies === 1) throw Object.assign(new Error("the disk is full"), { code: "LOAD_INTERNAL" });
				return host.loader.apply(...args);
			},
		},
	};
	await expect(enable(world, failing as typeof host)).rejects.toThrow("the disk is full");
	expect(active(world)).toEqual([]);
	expect(readEntries(host)).toEqual([]);
	expect(world.kernel.running()).toEqual([`tso ${ETH0} 1.0.0`]);
});

test("an upgrade takes the device out before the swap, and a firmware with its tag lets it in again", async () => {
	using world = await worldWithV1();
	await enable(world);
	const steps: string[] = [];
	const onStep = ({ step }: { step: string }) => void steps.push(step);
	const report = await world.locked((lock) => upgrade(lock, { bundle: v2.archive, onStep }), world.host());
	expect(steps.slice(-9).join(" ")).toBe("out apply check record commit mark finish in log");
	expect(report.warnings).toEqual([
		expect.stringMatching(
			/^eth0 stays out for tso: this host runs segmenter 2\.0\.0, the device segmenter 1\.0\.0/,
		),
	]);
	expect(world.broken).toEqual([]);
	expect(active(world)).toEqual([]);
	expect(world.kernel.running()).toEqual([`tso ${ETH0} 2.0.0`]);
	expect(await status(world.quiet)).toMatchObject({
		functions: [{ offload: [{ device: "eth0", state: "out", why: "tag" }] }],
	});
	world.plugIn(ETH0, v2.tag, "2.0");
	await world.locked((lock) => settle(lock, (held) => reapply(held, new Set())));
	expect(active(world)).toEqual(BOTH);
});

test("a recall takes the device out before the revoked function goes, and the last good version comes", async () => {
	using world = await worldWithV1();
	world.plugIn(ETH0, v2.tag, "2.0");
	await world.locked((lock) => upgrade(lock, { bundle: v2.archive }));
	await enable(world);
	expect(active(world)).toEqual(BOTH);
	revoke(world, v2);
	const switched: string[] = [];
	const onStep = ({ step }: { step: string }) => void switched.push(`${step} ${active(world).length}`);
	const { taken } = await world.locked((lock) => takeOff(lock, onStep), world.host());
	expect(taken).toMatchObject([{ function: "tso", scope: ETH0, version: "2.0.0", to: "1.0.0" }]);
	// Before the swap and ever after it is off.
	expect(switched.filter((step) => /^(out|apply|log) /.test(step))).toEqual(["out 2", "apply 0", "log 0"]);
	expect(world.broken).toEqual([]);
	expect(world.kernel.running()).toEqual([`tso ${ETH0} 1.0.0`]);
	expect(readEntries(world.quiet)).toMatchObject([{ state: "out" }]);
});

test("a device that cannot be taken out keeps the change from coming", async () => {
	using world = await worldWithV1();
	await enable(world);
	changeDevice(world.kernel, ETH0, ({ features, stuck }) => {
		stuck.push("tx-tcp-segmentation");
		features["tx-tcp-segmentation"]!.requested = false;
	});
	const change = world.locked((lock) => upgrade(lock, { bundle: v2.archive }), world.host());
	await expect(change).rejects.toMatchObject({ code: "OFFLOAD_NOT_OUT", details: { device: "eth0" } });
	expect(world.broken).toEqual([]);
});

test("removing the function takes the device out; a purge puts its features back and forgets it", async () => {
	using world = await worldWithV1();
	changeDevice(world.kernel, ETH0, ({ features }) => {
		features["tx-tcp-segmentation"]!.requested = true;
	});
	await enable(world);
	await world.locked((lock) => remove(lock, { name: "segmenter" }), world.host());
	expect(world.broken).toEqual([]);
	expect(active(world)).toEqual([]);
	expect(readEntries(world.quiet)).toMatchObject([{ state: "out" }]);
	await world.locked((lock) => remove(lock, { name: "segmenter", purge: true }));
	expect(active(world)).toEqual(["tx-tcp-segmentation"]);
	expect(readEntries(world.quiet)).toEqual([]);
});

test("a device that is gone is out, and one of its name is another", async () => {
	using world = await worldWithV1();
	await enable(world);
	unplug(world.kernel, ETH0);
	await world.locked((lock) => recover(lock));
	expect(readEntries(world.quiet)).toMatchObject([{ state: "out", why: "the device is gone" }]);
	world.plugIn(ETH0, v1.tag, "1.0");
	await world.locked((lock) => settle(lock, (held) => reapply(held, new Set())));
	expect(readEntries(world.quiet)).toMatchObject([{ state: "in" }]);
	unplug(world.kernel, ETH0);
	world.plugIn(ETH0, v2.tag, "2.0");
	await world.locked((lock) => recover(lock));
	expect(readEntries(world.quiet)).toMatchObject([{ state: "out", why: "another device has its name" }]);
});

test("refused: every failed condition, and security has its own code", async () => {
	using world = await worldWithV1();
	world.catalogue.set("1.0", { kind: "none", reason: "expired", why: "it ended yesterday" });
	await expect(enable(world)).rejects.toMatchObject({
		code: "OFFLOAD_REFUSED",
		exit: 1,
		details: { failed: [{ condition: "expired" }] },
	});
	world.catalogue.set("1.0", { kind: "none", reason: "foreign-vendor", why: "keys of another vendor" });
	await expect(enable(world)).rejects.toMatchObject({ code: "OFFLOAD_UNTRUSTED", exit: 3 });
	world.plugIn(ETH0, v1.tag, "1.0");
	world.revoked.set(v1.tag, { id: "R1", reason: "wrong" });
	await expect(enable(world)).rejects.toMatchObject({
		code: "OFFLOAD_UNTRUSTED",
		details: { failed: [{ condition: "revoked" }] },
	});
	expect(active(world)).toEqual([]);
});
