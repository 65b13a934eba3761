// One host: its paths, its loader, its writer and its clock, put together from what the caller gives. Refuses to look at the environment.
import { readFileSync } from "node:fs";
import { release } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type Durable, openDurable } from "./durable.ts";
import { type Faults, noFaults } from "./faults.ts";
import { type HealthSettings, NO_HEALTH_WINDOW } from "./health-settings.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { type Loader, spawnLoader, withFaults } from "./loader.ts";
import { type Devices, spawnDevices, withDeviceFaults } from "./offload/device.ts";
import type { ClaimSource } from "./offload/source.ts";
import type { Standing } from "./offload/standing.ts";
import { kernelNamespaces, type Namespaces } from "./scope.ts";

/** The operator's choice for when recalls may be withheld (docs/formats/recall.md). */
export interface RecallPolicy {
	/** Hours after the list's expiry from which on the registry's functions are off; undefined: they stay. */
	readonly stopAfterHours: number | undefined;
}

export interface Host {
	readonly layout: Layout;
	readonly loader: Loader;
	readonly durable: Durable;
	readonly faults: Faults;
	readonly namespaces: Namespaces;
	now(): Date;
	/** How a change is watched; read when one begins. */
	health(): HealthSettings;
	/** What happens once the recall list has expired; read when it is asked. */
	recall(): RecallPolicy;
	readonly devices: Devices;
	/** In place of this host's catalogues; undefined: those (offload/judge.ts). */
	readonly claims: ClaimSource | undefined;
	/** In place of what this host knows against tags; undefined: that. */
	readonly standing: Standing | undefined;
	/** Tells this boot from others. */
	readonly bootId: string;
	/** Release of the running kernel (`uname -r`). */
	readonly kernel: string;
	/** How long a command waits for the lock before it is HOST_LOCKED. */
	readonly lockWaitMs: number;
}

export interface HostOptions {
	/** "/" on a real host; everything of kfn lies below it. */
	root: string;
	/** Path of `kfn-load`, or what stands in for it. */
	loader: string | Loader;
	faults?: Faults | undefined;
	now?: (() => Date) | undefined;
	namespaces?: Namespaces | undefined;
	kernel?: string | undefined;
	/** 0 unless given. */
	lockWaitMs?: number | undefined;
	/** Without it, an expired recall list is only warned of. */
	recall?: (() => RecallPolicy) | undefined;
	/** `kfn-device` beside the loader unless given. */
	devices?: Devices | undefined;
	/** The host's own catalogues, revocations and advisories unless given. */
	claims?: ClaimSource | undefined;
	standing?: Standing | undefined;
	bootId?: string | undefined;
	/** Without it, changes are not watched. */
	health?: (() => HealthSettings) | undefined;
}

/** What a verb tells while it works; `step` is a word of the contract's order of a change, `detail` is for a human. */
export type OnStep = (step: { step: string; detail?: string }) => void;

/** Puts a host together; touches nothing. */
export function openHost(options: HostOptions): Host {
	const { loader } = options;
	// The loader and every generation's pins need one spelling, whatever folder the caller stands in.
	const root = resolve(options.root);
	const faults = options.faults ?? noFaults;
	return {
		layout: layoutOf(root),
		loader: withFaults(typeof loader === "string" ? spawnLoader(loader, root) : loader, faults),
		durable: openDurable(faults),
		faults,
		namespaces: options.namespaces ?? kernelNamespaces,
		now: options.now ?? (() => new Date()),
		kernel: options.kernel ?? release(),
		recall: options.recall ?? (() => ({ stopAfterHours: undefined })),
		health: options.health ?? (() => NO_HEALTH_WINDOW),
		lockWaitMs: options.lockWaitMs ?? 0,
		devices: withDeviceFaults(options.devices ?? spawnDevices(deviceTool(loader)), faults),
		claims: options.claims,
		standing: options.standing,
		bootId: options.bootId ?? bootIdOf(),
	};
}

/** The two programs lie side by side. */
const deviceTool = (loader: string | Loader) =>
	typeof loader === "string" ? join(dirname(loader), "kfn-device") : "kfn-device";

/** random(4): a UUID that is made at each boot. */
function bootIdOf(): string {
	try {
		return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
	} catch {
		return "unknown";
	}
}
