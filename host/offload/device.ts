// Asks devices through `kfn-device` (docs/formats/offload.md), which speaks ethtool's, devlink's and rtnetlink's own protocols. Refuses to
// take a set feature for a switched one: callers read again.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { plain } from "../errors.ts";
import type { Faults } from "../faults.ts";
import { parseScope, type Scope, scopeParts } from "../scope.ts";
import { count, exact, flag, listOf, oneOf, open, orNull, type Shape, ShapeError, text } from "../shape.ts";
import { type DevlinkInfo, devlinkInfo } from "./devlink.ts";
import { OffloadError } from "./errors.ts";
import { type Features, featuresShape } from "./features.ts";
import type { Identity } from "./source.ts";

/** A device as the kernel shows it now. */
export interface DeviceReport {
	readonly device: string;
	readonly ifindex: number;
	/** What a virtual device is (`veth`); null of a real one. */
	readonly kind: string | null;
	/** The most segments of one packet that the kernel hands to the device; 0 where it does not say. */
	readonly gsoMaxSegments: number;
	readonly parent: { readonly bus: string; readonly name: string } | null;
	readonly driver: string | null;
	readonly firmware: string | null;
	readonly features: Features;
	readonly devlink: DevlinkInfo | null;
	/** What the kernel refused to tell of it. */
	readonly problem: { readonly code: string; readonly message: string } | null;
}

/** What is asked of devices. A fake stands in for it only in tests that need no kernel. */
export interface Devices {
	/** The devices of a namespace, by its file; or the one of that name: OFFLOAD_DEVICE_GONE. */
	show(netns: string, device?: string): Promise<readonly DeviceReport[]>;
	/** Asks the kernel for these features; what it then does is for `show` to tell. */
	set(netns: string, device: string, features: Readonly<Record<string, boolean>>): Promise<void>;
	/** Follows changes of links, features and devlink in these namespaces. */
	watch(namespaces: readonly string[]): Promise<DeviceWatch>;
}

/** What changed: where the kernel lost count (`lost`), anything may have. */
export interface DeviceEvent {
	readonly event: "link" | "features" | "devlink" | "lost";
	readonly netns?: string;
}

export interface DeviceWatch {
	readonly events: AsyncIterable<DeviceEvent>;
	end(): void;
}

const told = open({ code: text, message: text }, { kernel: text });
const parent = exact({ bus: text, name: text });
const report: Shape<DeviceReport> = open({
	device: text,
	ifindex: count,
	kind: orNull(text),
	gsoMaxSegments: count,
	parent: orNull(parent),
	driver: orNull(text),
	firmware: orNull(text),
	features: featuresShape,
	devlink: orNull(devlinkInfo),
	problem: orNull(told),
});
const okAnswer = open({ ok: oneOf(true) });
const showAnswer = open({ ok: oneOf(true), devices: listOf(report) });
const failureAnswer = open({ ok: flag, error: told });
const eventLine: Shape<{ event: DeviceEvent["event"] | "watching"; netns?: string }> = open(
	{ event: oneOf("link", "features", "devlink", "lost", "watching") },
	{ netns: text },
);

const OUTPUT_LIMIT = 64 * 1024 * 1024;
const CODES = {
	DEVICE_NETNS_GONE: "OFFLOAD_DEVICE_GONE",
	DEVICE_GONE: "OFFLOAD_DEVICE_GONE",
	DEVICE_REFUSED: "OFFLOAD_DEVICE_REFUSED",
} as const;

/** Devices of this machine, through the binary at `path`. Touches nothing yet. */
export function spawnDevices(path: string): Devices {
	return {
		async show(netns, device) {
			const args = ["--netns", netns, "show", ...(device === undefined ? [] : [device])];
			return (await ask(path, args, showAnswer)).devices;
		},
		async set(netns, device, features) {
			const words = Object.entries(features).map(([name, on]) => `${name}=${on ? "on" : "off"}`);
			if (words.length > 0) await ask(path, ["--netns", netns, "set", device, ...words], okAnswer);
		},
		watch: (namespaces) => startWatch(path, namespaces),
	};
}

/** The same devices with every request a point that `faults` may end or fail. */
export function withDeviceFaults(devices: Devices, faults: Faults): Devices {
	return {
		show: (netns, device) => faults.aroundAsync("device show", () => devices.show(netns, device)),
		set: (netns, device, features) =>
			faults.aroundAsync("device set", () => devices.set(netns, device, features)),
		watch: (namespaces) => faults.aroundAsync("device watch", () => devices.watch(namespaces)),
	};
}

/** A device as the command line and the state name it: `eth0`, or `eth0@/run/netns/blue`. OFFLOAD_DEVICE_MALFORMED. */
export function parseDevice(word: string): Scope {
	try {
		const scope = parseScope(`dev:${word}`);
		if (scopeParts(scope).kind === "dev") return scope;
	} catch {
		// Said below.
	}
	throw new OffloadError("OFFLOAD_DEVICE_MALFORMED", `not a device: ${word}`, {
		hint: "eth0, or eth0@/run/netns/blue for a device of that namespace",
	});
}

export const deviceWord = (scope: Scope): string => scope.slice("dev:".length);

/** The one device that a scope names. */
export async function lookAt(devices: Devices, scope: Scope): Promise<DeviceReport> {
	const { netns, name } = scopeParts(scope);
	const [found] = await devices.show(netns, name);
	if (found === undefined) throw gone(scope);
	if (found.problem !== null)
		throw new OffloadError("OFFLOAD_DEVICE_REFUSED", `${deviceWord(scope)}: ${found.problem.message}`);
	return found;
}

function gone(scope: Scope): OffloadError {
	return new OffloadError("OFFLOAD_DEVICE_GONE", `there is no device ${deviceWord(scope)}`);
}

/**
 * Who a device says it is. Ids come from the bus's folder in sysfs, which shows every namespace's devices; `null` where it has none.
 *
 * A virtual device has no parent: it is the kernel's own code, and is named so: bus `virtual`, vendor `linux`, its kind, and as its
 * firmware the kernel's release. Whom to believe of it, the operator's map of vendors says.
 */
export function identityOf(found: DeviceReport, kernel: string, sysfs = "/sys"): Identity {
	const { device, kind, parent } = found;
	const driver = found.driver ?? kind ?? "";
	if (parent === null) {
		const isVirtual = kind !== null;
		const [bus, vendor] = isVirtual ? ["virtual", "linux"] : [null, null];
		return { device, bus, driver, vendor, deviceId: kind, firmware: isVirtual ? kernel : found.firmware };
	}
	const id = (file: string) => hexId(sysfs, parent, file);
	const [vendor, deviceId] = [id("vendor") ?? id("idVendor"), id("device") ?? id("idProduct")];
	const subsystem = { vendor: id("subsystem_vendor"), device: id("subsystem_device") };
	return {
		device,
		bus: parent.bus,
		driver,
		vendor,
		deviceId,
		...(subsystem.vendor === null || subsystem.device === null
			? {}
			: { subsystem: { vendor: subsystem.vendor, device: subsystem.device } }),
		firmware: found.firmware,
	};
}

/** `0x8086\n` of PCI, `0bda\n` of USB: 4 lowercase hex digits, or null. */
function hexId(sysfs: string, of: NonNullable<DeviceReport["parent"]>, file: string): string | null {
	if (!/^[\w.-]+$/.test(of.bus) || !/^(?!\.)[\w.:-]+$/.test(of.name)) return null;
	// On USB the parent is an interface, 1-1.2:1.0, and the ids are its device's, 1-1.2 (drivers/usb/core/message.c).
	const name = of.bus === "usb" ? of.name.split(":", 1)[0]! : of.name;
	try {
		const found = readFileSync(join(sysfs, "bus", of.bus, "devices", name, file), "utf8");
		return /^(?:0x)?([0-9a-f]{4})\n?$/.exec(found)?.[1] ?? null;
	} catch {
		return null;
	}
}

function start(path: string, args: readonly string[]): ChildProcess {
	return spawn(path, args, { stdio: ["pipe", "pipe", "pipe"], detached: true, env: {} });
}

async function ask<T>(path: string, args: readonly string[], shape: Shape<T>): Promise<T> {
	const child = start(path, args);
	child.stdin?.on("error", () => undefined);
	child.stdin?.end();
	const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
	const [stdout, [exit, signal]] = await Promise.all([collect(child), ended]).catch((error: unknown) => {
		child.kill("SIGKILL");
		throw startFailure(error, path);
	});
	return answer(stdout, exit, signal, shape);
}

async function collect(child: ChildProcess): Promise<string> {
	const chunks: Buffer[] = [];
	let size = 0;
	child.stderr?.resume();
	for await (const chunk of child.stdout!) {
		size += (chunk as Buffer).length;
		if (size > OUTPUT_LIMIT) throw broken("its answer has no end");
		chunks.push(chunk as Buffer);
	}
	return Buffer.concat(chunks).toString("utf8");
}

function answer<T>(stdout: string, exit: number | null, signal: NodeJS.Signals | null, shape: Shape<T>): T {
	if (signal !== null) throw broken(`it was ended by ${signal}`);
	try {
		const document: unknown = JSON.parse(stdout);
		if (exit === 0) return shape(document, "");
		throw refusal(failureAnswer(document, "").error);
	} catch (error) {
		if (!(error instanceof ShapeError) && !(error instanceof SyntaxError)) throw error;
		throw broken(`its answer is not in the documented form: ${error.message}`, error);
	}
}

function refusal({ code, message, kernel }: ReturnType<typeof told>): OffloadError {
	if (!Object.hasOwn(CODES, code)) return broken(`${code}: ${message}`);
	const known = CODES[code as keyof typeof CODES];
	return new OffloadError(known, message, { details: kernel === undefined ? {} : { kernel: plain(kernel) } });
}

function broken(message: string, cause?: unknown): OffloadError {
	return new OffloadError("OFFLOAD_DEVICE_ANSWER", `kfn-device: ${message}`, { cause });
}

function startFailure(error: unknown, path: string): unknown {
	const { code, syscall } = error as NodeJS.ErrnoException;
	if (syscall === undefined || !syscall.startsWith("spawn")) return error;
	return new OffloadError("OFFLOAD_DEVICE_TOOL", `kfn-device cannot be started: ${path} (${code})`, {
		hint: "build it (make -C host/offload/native), or install the package that has it and libmnl0",
		cause: error,
	});
}

async function startWatch(path: string, namespaces: readonly string[]): Promise<DeviceWatch> {
	const child = start(path, ["watch", ...namespaces]);
	child.stdin?.on("error", () => undefined);
	child.stderr?.resume();
	const ended = (once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>).catch((error) => {
		throw startFailure(error, path);
	});
	ended.catch(() => undefined);
	const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
	const first = (await lines.next()).value ?? "";
	if (eventOf(first)?.event !== "watching") {
		const [exit, signal] = await ended;
		answer(first, exit, signal, okAnswer);
		throw broken("it did not say that it watches");
	}
	return { events: eventsOf(lines, ended), end: () => void child.stdin?.end() };
}

function eventOf(line: string): ReturnType<typeof eventLine> | undefined {
	try {
		return eventLine(JSON.parse(line), "");
	} catch {
		return undefined;
	}
}

async function* eventsOf(
	lines: AsyncIterator<string>,
	ended: Promise<[number | null, NodeJS.Signals | null]>,
): AsyncGenerator<DeviceEvent> {
	for (;;) {
		const { value, done } = await lines.next();
		if (done === true) return;
		const event = eventOf(value);
		if (event === undefined) {
			const [exit, signal] = await ended;
			answer(value, exit, signal, okAnswer);
			return;
		}
		if (event.event !== "watching") yield event as DeviceEvent;
	}
}
