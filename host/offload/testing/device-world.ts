// For tests only: a host on a fake kernel with devices, catalogues that a test writes, and a door that every effect passes, before and
// after which the rule of offload is checked. Refuses to let a test forget it: a broken rule fails the effect.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SecretKey } from "#signing/ed25519.ts";
import { fakeDevice, fakeDevices, isActive, plug } from "#test/harness/fake-devices.ts";
import { FakeKernel, fakeLoader, fakeNamespaces } from "#test/harness/fake-kfn-load.ts";
import { trustKeys } from "#test/harness/host-world.ts";
import { type Faults, noFaults } from "../../faults.ts";
import { currentGeneration, planOrUndefined } from "../../generations.ts";
import { type Host, openHost } from "../../host.ts";
import { type HostLock, withLock } from "../../lock.ts";
import type { Scope } from "../../scope.ts";
import { carriersOf } from "../features.ts";
import type { Claim, Identity, SourceAnswer } from "../source.ts";
import { readEntries } from "../state.ts";

export const ETH0 = "dev:eth0" as Scope;
export const ETH1 = "dev:eth1" as Scope;

/** This process is dead from here on: whatever it still tries has no effect. */
export class Dead extends Error {}

/** A signed claim of `tso` for every device of that firmware. */
export function claimOf(tag: string): Claim {
	return {
		...{ source: "catalogue", function: "tso", abi: 1, tag, config: "any", from: "example 1" },
		limits: { maxSegments: 64, headerDepth: 128, protocols: ["ipv4", "ipv6", "tcp"] },
	};
}

export class DeviceWorld implements Disposable {
	readonly root = mkdtempSync(join(tmpdir(), "kfn-devices-"));
	readonly kernel = FakeKernel.boot(this.root);
	/** What a catalogue says, by firmware. */
	readonly catalogue = new Map<string, SourceAnswer>();
	readonly revoked = new Map<string, { id: string; reason: string }>();
	readonly versions: ReadonlyMap<string, string>;
	boot = 1;
	/** How often the rule was checked, and where it was broken. */
	checks = 0;
	readonly broken: string[] = [];

	/** `versions`: tags by version, to read pins by. */
	constructor(key: SecretKey, versions: ReadonlyMap<string, string>) {
		this.versions = versions;
		trustKeys(this.root, ["segmenter"], [key]);
	}

	plugIn(scope: Scope, tag: string, firmware: string): void {
		plug(this.kernel, scope, fakeDevice(this.kernel.read().nextId, tag, { firmware }));
		this.kernel.change((state) => void state.nextId++);
		this.catalogue.set(firmware, { kind: "claims", claims: [claimOf(tag)] });
	}

	/** A process that ends at its `dieAt`-th effect, before or after it; 0: never. */
	host(dieAt = 0, after = false): Host & { readonly passed: () => number } {
		let passed = 0;
		const enter = (point: string) => {
			passed++;
			if (dieAt !== 0 && (passed > dieAt || (passed === dieAt && !after))) throw new Dead(point);
			this.check(`before ${point}`);
		};
		const leave = (point: string) => {
			this.check(`after ${point}`);
			if (passed === dieAt) throw new Dead(point);
		};
		const faults: Faults = {
			around(point, effect) {
				enter(point);
				const result = effect();
				leave(point);
				return result;
			},
			async aroundAsync(point, effect) {
				enter(point);
				const result = await effect();
				leave(point);
				return result;
			},
		};
		return Object.assign(this.#open(faults), { passed: () => passed });
	}

	#open(faults: Faults): Host {
		return openHost({
			root: this.root,
			loader: fakeLoader(this.kernel),
			devices: fakeDevices(this.kernel),
			namespaces: fakeNamespaces(this.kernel),
			now: () => new Date("2026-11-23T10:00:00.000Z"),
			faults,
			bootId: `boot-${this.boot}`,
			claims: { source: "catalogue", claims: async (identity) => this.#speak(identity) },
			standing: { revoked: (tag) => this.revoked.get(tag), advisories: () => [] },
		});
	}

	#speak({ firmware }: Identity): SourceAnswer {
		return (
			this.catalogue.get(firmware ?? "") ?? {
				kind: "none",
				reason: "wrong-firmware",
				why: "another firmware",
			}
		);
	}

	locked<T>(body: (lock: HostLock) => Promise<T>, host: Host = this.#open(noFaults)): Promise<T> {
		return withLock(host, "test", body);
	}

	get quiet(): Host {
		return this.#open(noFaults);
	}

	/**
	 * The rule: a device that packets go through and that was given a function runs what the kernel runs for it: the attached program
	 * where there is one, and else what the generation says.
	 */
	check(where: string): void {
		this.checks++;
		const host = this.#open(noFaults);
		const { devices = {}, pins } = this.kernel.read();
		const plan = planOrUndefined(host, currentGeneration(host));
		for (const entry of readEntries(host)) {
			const device = devices[entry.device];
			const carried = carriersOf(entry.function)!.carried;
			// Enabling not ended, disabling begun: the features may be the operator's own again.
			const isOurs = entry.state !== "leaving" && entry.enabled !== null;
			if (device?.up !== true || !isOurs || !carried.some((name) => isActive(device, name))) continue;
			const pin = pins.find((one) => one.scope === entry.device && one.namespace !== null);
			const planned = plan?.functions.find(
				({ function: name, scope }) => name === entry.function && scope === entry.device,
			);
			const runs = pin === undefined ? planned?.tag : this.versions.get(pin.version);
			const engine = device.engine[entry.function];
			if (runs !== engine)
				this.broken.push(`${where}: ${entry.device} runs ${engine}, the kernel ${runs} (${entry.state})`);
		}
	}

	[Symbol.dispose](): void {
		rmSync(this.root, { recursive: true, force: true });
	}
}
