// Switches a device for a function, and reads again what became of it. Refuses to believe that a set feature is a switched one.
import type { Host } from "../host.ts";
import { type Scope, scopeParts } from "../scope.ts";
import { type DeviceReport, deviceWord, lookAt } from "./device.ts";
import { OffloadError } from "./errors.ts";
import { type Carriers, carriersOf, switched, wrongFeatures } from "./features.ts";

/** On: the device runs the function. Off: neither the function nor another that does the same. OFFLOAD_FEATURE_STUCK, and what asking a device throws. */
export async function switchDevice(
	host: Host,
	device: Scope,
	functionName: string,
	on: boolean,
): Promise<void> {
	const carriers = carriersOf(functionName);
	// An entry of a version that knew more: it cannot be switched, and nothing says that it is on.
	if (carriers === undefined) return;
	const before = await lookAt(host.devices, device);
	if (wrongFeatures(carriers, before.features, on).length === 0 && isWished(carriers, before, on)) return;
	await set(host, device, switched(carriers, before.features, on));
	const after = await lookAt(host.devices, device);
	const wrong = wrongFeatures(carriers, after.features, on);
	if (wrong.length > 0) throw stuck(device, wrong, on);
}

/** What is off but wished for would come on by itself, as soon as what it rests on does. */
function isWished(carriers: Carriers, { features }: DeviceReport, on: boolean): boolean {
	return Object.entries(switched(carriers, features, on)).every(
		([name, wish]) => features[name]?.requested === wish,
	);
}

/** Makes features requested as they were; OFFLOAD_FEATURE_STUCK where the kernel does not take a wish back. */
export async function restoreFeatures(
	host: Host,
	device: Scope,
	before: Readonly<Record<string, boolean>>,
): Promise<void> {
	await set(host, device, before);
	const { features } = await lookAt(host.devices, device);
	const wrong = Object.entries(before).filter(([name, wish]) => features[name]?.requested !== wish);
	if (wrong.length > 0)
		throw stuck(
			device,
			wrong.map(([name]) => name),
			"as before",
		);
}

/** What restoring must know: the wishes for everything that switching touches. */
export function wishesOf(functionName: string, { features }: DeviceReport): Record<string, boolean> {
	const carriers = carriersOf(functionName);
	if (carriers === undefined) return {};
	const touched = Object.keys(switched(carriers, features, true));
	return Object.fromEntries(touched.map((name) => [name, features[name]?.requested === true]));
}

function set(host: Host, device: Scope, features: Readonly<Record<string, boolean>>): Promise<void> {
	const { netns, name } = scopeParts(device);
	return host.devices.set(netns, name, features);
}

function stuck(device: Scope, wrong: readonly string[], wanted: boolean | "as before"): OffloadError {
	const what = wanted === "as before" ? wanted : wanted ? "on" : "off";
	return new OffloadError(
		"OFFLOAD_FEATURE_STUCK",
		`${deviceWord(device)}: ${wrong.join(", ")} did not go ${what}`,
		{
			hint: "ethtool -k shows what the feature rests on, such as checksums; the driver may also refuse it now",
			details: { device: deviceWord(device), features: wrong },
		},
	);
}
