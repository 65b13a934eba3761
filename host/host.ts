// One host: its paths, its loader, its writer and its clock, put together from what the caller gives. Refuses to look at the environment.
import { release } from "node:os";
import { resolve } from "node:path";
import { type Durable, openDurable } from "./durable.ts";
import { type Faults, noFaults } from "./faults.ts";
import { type HealthSettings, NO_HEALTH_WINDOW } from "./health-settings.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { type Loader, spawnLoader, withFaults } from "./loader.ts";
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
	};
}
