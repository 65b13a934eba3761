// Devices of the fake kernel: features that are wished for and become active, engines that run what their firmware holds, links that come
// and go. Refuses to know what kfn makes of them.
import { type DeviceReport, type Devices, deviceWord } from "#host/offload/device.ts";
import { OffloadError } from "#host/offload/errors.ts";
import type { Feature } from "#host/offload/features.ts";
import { parseScope, type Scope, scopeParts } from "#host/scope.ts";
import type { FakeDevice, FakeKernel } from "./fake-kernel.ts";

export const TSO_FEATURES = ["tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-mangleid-segmentation"];

/** A device with TSO that is off, and an engine of that tag. */
export function fakeDevice(ifindex: number, tag: string, change: Partial<FakeDevice> = {}): FakeDevice {
	const features = Object.fromEntries(TSO_FEATURES.map((name) => [name, { requested: false, fixed: false }]));
	return {
		...{ ifindex, driver: "example", firmware: "1.0", versions: null, engine: { tso: tag } },
		...{ features, stuck: [], up: true },
		...change,
	};
}

export function plug(kernel: FakeKernel, scope: string, device: FakeDevice): void {
	kernel.change((state) => {
		state.devices = { ...state.devices, [scope]: device };
	});
}

export function unplug(kernel: FakeKernel, scope: string): void {
	kernel.change((state) => {
		const { [scope]: _, ...rest } = state.devices ?? {};
		state.devices = rest;
		// What is attached to a device goes with it; its pins stay.
		state.pins = state.pins.map((pin) => (pin.scope === scope ? { ...pin, namespace: null } : pin));
	});
}

export function changeDevice(kernel: FakeKernel, scope: string, edit: (device: FakeDevice) => void): void {
	kernel.change((state) => {
		const device = state.devices?.[scope];
		if (device !== undefined) edit(device);
	});
}

/** What packets meet: a feature is active where it is wished for and the device plays along. */
export function isActive(device: FakeDevice, name: string): boolean {
	const feature = device.features[name];
	if (feature === undefined) return false;
	return device.stuck.includes(name) ? !feature.requested : feature.requested;
}

/** The devices of a fake kernel, as kfn-device would show and set them; nobody tells of changes. */
export function fakeDevices(kernel: FakeKernel): Devices {
	return {
		async show(netns, only) {
			const all = Object.entries(kernel.read().devices ?? {}).map(
				([scope, device]) => [parseScope(scope), device] as const,
			);
			const found = all.filter(([scope]) => isHere(scope, netns, only));
			if (only !== undefined && found.length === 0) throw gone(only);
			return found.map(([scope, device]) => reportOf(scope, device));
		},
		async set(netns, name, features) {
			let missing = true;
			kernel.change((state) => {
				for (const [scope, device] of Object.entries(state.devices ?? {})) {
					if (!isHere(parseScope(scope), netns, name)) continue;
					missing = false;
					for (const [feature, wish] of Object.entries(features)) {
						const known = device.features[feature];
						if (known !== undefined && !known.fixed) known.requested = wish;
					}
				}
			});
			if (missing) throw gone(name);
		},
		watch: async () => ({ events: (async function* () {})(), end: () => undefined }),
	};
}

const gone = (name: string) => new OffloadError("OFFLOAD_DEVICE_GONE", `there is no device ${name}`);

function isHere(scope: Scope, netns: string, only: string | undefined): boolean {
	const parts = scopeParts(scope);
	return parts.netns === netns && (only === undefined || parts.name === only);
}

function reportOf(scope: Scope, device: FakeDevice): DeviceReport {
	const features = Object.fromEntries(
		Object.entries(device.features).map(([name, { requested, fixed }]): [string, Feature] => [
			name,
			{ active: isActive(device, name), fixed, requested },
		]),
	);
	return {
		...{ device: scopeParts(scope).name, ifindex: device.ifindex, kind: null, gsoMaxSegments: 64 },
		...{ parent: { bus: "pci", name: deviceWord(scope) }, driver: device.driver, firmware: device.firmware },
		features,
		devlink:
			device.versions === null ? null : { driver: device.driver, versions: { running: device.versions } },
		problem: null,
	};
}
