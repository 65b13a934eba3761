// The rule of offload under everything that can happen, in random order and with the process killed anywhere: a device and the kernel
// never run different functions at the same time. A failing sequence prints its seed. KFN_SEQUENCES and KFN_SEED ask for others.
import { beforeAll, expect, test } from "vitest";
import { generateKeyPair, type SecretKey } from "#signing/ed25519.ts";
import { changeDevice, isActive, unplug } from "#test/harness/fake-devices.ts";
import { codeOf } from "../errors.ts";
import { readCurrentPlan } from "../generations.ts";
import type { Host } from "../host.ts";
import { install } from "../install.ts";
import type { HostLock } from "../lock.ts";
import { reapply, recover } from "../recover.ts";
import { remove } from "../remove.ts";
import { rollback } from "../rollback.ts";
import type { Scope } from "../scope.ts";
import { upgrade } from "../upgrade.ts";
import { disableOffload, enableOffload } from "./enable.ts";
import { carriersOf } from "./features.ts";
import { settle } from "./settle.ts";
import { isIn, readEntries } from "./state.ts";
import { claimOf, Dead, DeviceWorld, ETH0, ETH1 } from "./testing/device-world.ts";
import { type Segmenter, segmenter } from "./testing/segmenter.ts";

const SEQUENCES = Number(process.env["KFN_SEQUENCES"] ?? 20);
const SEED = Number(process.env["KFN_SEED"] ?? 20_261_129);
const EVENTS = 10;

let key: SecretKey;
let all: Segmenter[];
beforeAll(async () => {
	key = await generateKeyPair("test");
	all = await Promise.all(["1.0.0", "2.0.0", "3.0.0"].map((version) => segmenter(version, key)));
});

function dice(seed: number): (below: number) => number {
	let state = seed | 1;
	return (below) => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>> 0) % below;
	};
}

/** What the watch does at every change, and the unit at boot. */
const watch = (lock: HostLock) => settle(lock, (held) => reapply(held, new Set()));
const link = (world: DeviceWorld, device: Scope, up: boolean) =>
	changeDevice(world.kernel, device, (one) => {
		one.up = up;
	});

/** One event: what the outside does, and the command that it comes with. */
interface Event {
	readonly name: string;
	/** Devices whose link is down until the watch has looked: nothing has configured them yet. */
	readonly down?: readonly Scope[];
	outside?(): void;
	run(lock: HostLock): Promise<unknown>;
}

function eventOf(world: DeviceWorld, next: (below: number) => number): Event {
	const device = [ETH0, ETH1][next(2)]!;
	const bundle = all[next(all.length)]!;
	const firmware = `${bundle.version}-${next(2)}`;
	const flash = () => {
		world.catalogue.set(firmware, { kind: "claims", claims: [claimOf(bundle.tag)] });
		changeDevice(world.kernel, device, (one) => {
			Object.assign(one, { firmware, engine: { tso: bundle.tag } });
		});
	};
	const events: Event[] = [
		{
			name: `upgrade ${bundle.version}`,
			run: (lock) => upgrade(lock, { bundle: bundle.archive, permits: undefined }),
		},
		{
			name: `install ${bundle.version} ${device}`,
			run: (lock) => install(lock, { bundle: bundle.archive, scope: device }),
		},
		{ name: "rollback", run: (lock) => rollback(lock) },
		{ name: `remove ${device}`, run: (lock) => remove(lock, { name: "segmenter", scope: device }) },
		{ name: `enable ${device}`, run: (lock) => enableOffload(lock, { device }) },
		{ name: `enable ${device}`, run: (lock) => enableOffload(lock, { device }) },
		{ name: `disable ${device}`, run: (lock) => disableOffload(lock, { device }) },
		{ name: `flash ${device} ${firmware}`, down: [device], outside: flash, run: watch },
		{
			name: `replug ${device} ${firmware}`,
			down: [device],
			outside() {
				unplug(world.kernel, device);
				world.plugIn(device, bundle.tag, firmware);
				defaults(world, device, next(2) === 0);
				link(world, device, false);
			},
			run: watch,
		},
		{
			name: "reboot",
			down: [ETH0, ETH1],
			outside() {
				world.kernel.reboot();
				world.boot++;
				for (const one of [ETH0, ETH1]) defaults(world, one, next(2) === 0);
			},
			async run(lock) {
				await reapply(lock, new Set());
				await watch(lock);
			},
		},
		{
			name: `catalogue of ${firmware} ends`,
			outside: () => void world.catalogue.set(firmware, { kind: "none", reason: "expired", why: "it ended" }),
			run: watch,
		},
		{
			name: `revoke ${bundle.version}`,
			outside: () => void world.revoked.set(bundle.tag, { id: "R", reason: "a test" }),
			run: watch,
		},
		{ name: `withdraw ${bundle.version}`, outside: () => void world.revoked.delete(bundle.tag), run: watch },
		{ name: `ethtool off ${device}`, outside: () => defaults(world, device, false), run: watch },
	];
	return events[next(events.length)]!;
}

function defaults(world: DeviceWorld, device: Scope, on: boolean): void {
	changeDevice(world.kernel, device, ({ features }) => {
		for (const name of carriersOf("tso")!.carried) features[name]!.requested = on;
	});
}

/** Refusals are answers; anything else is a bug. */
function isRefusal(error: unknown): boolean {
	return /^(HOST|LOAD|OFFLOAD)_/.test(codeOf(error)) && (error as { exit?: number }).exit !== 70;
}

/** Runs a command of a process that may die, then lets the next ones recover until one ends. */
async function run(
	world: DeviceWorld,
	event: Event,
	host: Host & { passed(): number },
): Promise<"done" | "refused" | "killed"> {
	try {
		await world.locked((lock) => event.run(lock), host);
		return "done";
	} catch (error) {
		if (error instanceof Dead || `${(error as Error).message}${(error as Error).stack}`.includes("Dead"))
			return "killed";
		if (!isRefusal(error)) throw error;
		return "refused";
	}
}

/** What must be so once the watch has looked: in exactly where all fits, and the software off exactly there. */
function expectSettled(world: DeviceWorld, told: string): void {
	const host = world.quiet;
	const { devices = {}, pins } = world.kernel.read();
	const plan = readCurrentPlan(host);
	for (const entry of readEntries(host)) {
		const device = devices[entry.device]!;
		const planned = plan.functions.find(({ scope }) => scope === entry.device);
		const answer = world.catalogue.get(device.firmware ?? "");
		const signed = answer?.kind === "claims" ? answer.claims[0]!.tag : undefined;
		const fits = planned !== undefined && planned.tag === signed && !world.revoked.has(planned.tag);
		expect(isIn(host, entry), `${told}: ${entry.device} ${entry.why}`).toBe(fits);
		expect(
			carriersOf("tso")!.carried.every((name) => isActive(device, name)),
			told,
		).toBe(fits);
		const attached = pins.some((pin) => pin.scope === entry.device && pin.namespace !== null);
		expect(attached, told).toBe(planned !== undefined && !fits);
	}
}

test(`${SEQUENCES} sequences of ${EVENTS} events, half of them killed somewhere`, {
	timeout: 900_000,
}, async () => {
	const outcomes = { done: 0, refused: 0, killed: 0 };
	let checks = 0;
	let entered = 0;
	for (let n = 0; n < SEQUENCES; n++) {
		const next = dice(SEED + n * 7919);
		using world = new DeviceWorld(key, new Map(all.map(({ version, tag }) => [version, tag])));
		for (const device of [ETH0, ETH1]) world.plugIn(device, all[0]!.tag, "1.0.0-0");
		await world.locked((lock) => install(lock, { bundle: all[0]!.archive, scope: ETH0 }));
		await world.locked((lock) => enableOffload(lock, { device: ETH0 }));
		const told: string[] = [`seed ${SEED + n * 7919}`];
		for (let i = 0; i < EVENTS; i++) {
			const event = eventOf(world, next);
			for (const device of event.down ?? []) link(world, device, false);
			event.outside?.();
			const kill = next(2) === 0 ? 1 + next(60) : 0;
			const outcome = await run(world, event, world.host(kill, next(2) === 0));
			outcomes[outcome]++;
			told.push(`${event.name}: ${outcome}${kill === 0 ? "" : ` at ${kill}`}`);
			// The next command recovers; the watch runs again, as after any change; only then the network comes up.
			await world.locked(async (lock) => {
				await recover(lock);
				await watch(lock);
			}, world.host());
			for (const device of event.down ?? []) link(world, device, true);
			world.check("after the watch");
			expect(world.broken, told.join("\n")).toEqual([]);
			expectSettled(world, told.join("\n"));
			entered += readEntries(world.quiet).filter((entry) => isIn(world.quiet, entry)).length;
		}
		checks += world.checks;
	}
	// A test in which nothing happens proves nothing.
	expect(outcomes.done).toBeGreaterThan(SEQUENCES);
	expect(outcomes.killed).toBeGreaterThan(SEQUENCES / 4);
	expect(entered).toBeGreaterThan(0);
	console.log(JSON.stringify({ sequences: SEQUENCES, ...outcomes, checks, entered }));
});

test("killed at every point, enable is undone or done, and disable is ended", {
	timeout: 600_000,
}, async () => {
	for (const verb of [enableOffload, disableOffload]) {
		for (let at = 1, ended = false; !ended; at++) {
			using world = new DeviceWorld(key, new Map(all.map(({ version, tag }) => [version, tag])));
			world.plugIn(ETH0, all[0]!.tag, "1");
			await world.locked((lock) => install(lock, { bundle: all[0]!.archive, scope: ETH0 }));
			if (verb === disableOffload) await world.locked((lock) => enableOffload(lock, { device: ETH0 }));
			const event = { name: verb.name, run: (lock: HostLock) => verb(lock, { device: ETH0 }) };
			ended = (await run(world, event, world.host(at))) === "done";
			await world.locked((lock) => recover(lock));
			const [entry] = readEntries(world.quiet);
			if (ended) expect(entry === undefined).toBe(verb === disableOffload);
			expect(entry?.state ?? "in", `${verb.name} killed at ${at}`).toBe("in");
			const on = carriersOf("tso")!.carried.filter((name) =>
				isActive(world.kernel.read().devices![ETH0]!, name),
			);
			expect(on).toHaveLength(entry === undefined ? 0 : 2);
			expect(world.kernel.running()).toEqual(entry === undefined ? [`tso ${ETH0} 1.0.0`] : []);
			expect(world.broken).toEqual([]);
		}
	}
});
