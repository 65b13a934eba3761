// What of this host is exposed to which advisories: what runs, what the next boot takes, what is stored, held, or in a device. Changes
// nothing. Refuses to call a part of the host sound that it could not look at.
import type { Config } from "#bundle/config.ts";
import { bootStatus } from "../boot/status.ts";
import { planOrUndefined, readCurrentPlan } from "../generations.ts";
import { readHolds } from "../holds.ts";
import type { Host } from "../host.ts";
import type { PlanFunction } from "../plan.ts";
import { type StatusFunction, type StatusReport, status } from "../status.ts";
import { advisoriesFor, type OpenAdvisory, openAdvisories } from "./judge.ts";
import type { KernelVersion } from "./kernel-version.ts";
import type { Known } from "./known.ts";
import { KERNEL_FUNCTIONS, storedReleases } from "./names.ts";

/** A function that a device says it can run, and whether it is the device that runs it here. */
export interface AuditDevice {
	readonly device: string;
	readonly function: string;
	readonly tag: string;
	readonly inUse: boolean;
}

export interface AuditSubject {
	/**
	 * `running`: a bundle, or the kernel's own C code where none runs. `boot`, `fallback`: what the next boot takes, and what it falls
	 * back to, where that is something else. `held`: a version that a hold lets a bundle go to. `stored`: on the disk, and none of these.
	 */
	readonly where: "running" | "device" | "boot" | "fallback" | "held" | "stored";
	/** Whether an advisory that is open here exposes the host now: what runs, and a device that carries a function. */
	readonly now: boolean;
	readonly function: string;
	/** Null: wherever no bundle runs; of what is only stored or held, nowhere. */
	readonly scope: string | null;
	readonly device: string | null;
	/** Null: the kernel's own C code, or a device's tag, which has no name. */
	readonly bundle: string | null;
	readonly version: string | null;
	readonly tag: string | null;
	/** The parameters that it runs with; null where it does not. */
	readonly config: Config | null;
	/** Whether the operator holds the bundle. */
	readonly held: boolean;
	readonly advisories: readonly OpenAdvisory[];
}

export interface Audit {
	readonly subjects: readonly AuditSubject[];
	/** Why the kernel could not be looked at; then what should run was judged in the place of what does. */
	readonly unseen: StatusReport["unseen"];
}

type Unjudged = Omit<AuditSubject, "advisories">;

const NOWHERE = { now: false, scope: null, device: null, config: null, held: false } as const;

export async function audit(
	host: Host,
	known: Known,
	kernel: KernelVersion,
	devices: readonly AuditDevice[],
): Promise<Audit> {
	const { functions, unseen } = await status(host);
	const holds = readHolds(host);
	const held = new Set(holds.map(({ name }) => name));
	const running = functions.map((entry) => runningSubject(entry, held));
	const live = [...running, ...kernelSubjects(known, functions)];
	const booting = bootSubjects(host);
	const reached = [...live, ...devices.map(deviceSubject), ...booting];
	const has = (name: string, version: string) =>
		reached.some((subject) => subject.bundle === name && subject.version === version);
	const elsewhere = [
		...holds.flatMap(({ name, version }) =>
			version === null || has(name, version) ? [] : [heldSubject(host, name, version)],
		),
		...storedReleases(host).flatMap(({ manifest }) =>
			manifest === null || has(manifest.name, manifest.version)
				? []
				: [
						{
							...NOWHERE,
							where: "stored" as const,
							function: manifest.function.name,
							bundle: manifest.name,
							version: manifest.version,
							tag: manifest.tag.value,
						},
					],
		),
	];
	const subjects = [...reached, ...elsewhere].map((subject) => ({
		...subject,
		advisories: judged(known, kernel, subject),
	}));
	return { subjects, unseen };
}

function judged(known: Known, kernel: KernelVersion, subject: Unjudged): OpenAdvisory[] {
	const { where, function: name, scope, bundle, version, tag, config } = subject;
	const carrier = tag === null ? null : { name: bundle, version, tag };
	// In a device, on the disk and in a scope where nothing is attached it takes the place of no kernel code, and leaves none open.
	const isAttached = where !== "device" && where !== "stored" && where !== "held" && scope !== "none";
	if (isAttached) {
		const provider = carrier === null ? null : { ...carrier, config: config ?? {} };
		return openAdvisories(known, { function: name, bundle: provider }, kernel);
	}
	return carrier === null ? [] : advisoriesFor(known, carrier);
}

/** Where the plan's bundle does not run, the kernel's own code does. */
function runningSubject(entry: StatusFunction, held: ReadonlySet<string>): Unjudged {
	const { function: name, scope, bundle, version, tag, config } = entry;
	const at = { where: "running" as const, now: true, function: name, scope, device: null };
	if (entry.running === false)
		return { ...at, bundle: null, version: null, tag: null, config: null, held: false };
	return { ...at, bundle, version, tag, config, held: held.has(bundle) };
}

/** The kernel's own code of each function, unless a bundle takes its place everywhere: a dissector in the root namespace rules all. */
function kernelSubjects(known: Known, functions: readonly StatusFunction[]): Unjudged[] {
	const named = known.flatMap(({ advisories }) =>
		advisories.flatMap(({ advisory }) => advisory.kernels.map((entry) => entry.function)),
	);
	const names = [...new Set([...KERNEL_FUNCTIONS, ...named])].sort();
	const everywhere = (name: string) =>
		functions.some((entry) => entry.function === name && entry.scope === "netns:root" && entry.running);
	return names
		.filter((name) => !everywhere(name))
		.map((name) => ({
			...NOWHERE,
			where: "running" as const,
			now: true,
			function: name,
			bundle: null,
			version: null,
			tag: null,
		}));
}

function deviceSubject({ device, function: name, tag, inUse }: AuditDevice): Unjudged {
	return {
		...NOWHERE,
		where: "device",
		now: inUse,
		function: name,
		device,
		bundle: null,
		version: null,
		tag,
	};
}

/** What the next boot would load that does not run now: the current generation's, then that of the last boot that came up. */
function bootSubjects(host: Host): Unjudged[] {
	const { enabled, off, current, booted } = bootStatus(host);
	if (!enabled || off !== null) return [];
	const now = readCurrentPlan(host).functions;
	const fallback = booted === current ? [] : (planOrUndefined(host, booted)?.functions ?? []);
	const isNew = (entry: PlanFunction) =>
		!now.some(
			(other) =>
				other.function === entry.function &&
				other.scope === entry.scope &&
				other.bundle.manifestSha256 === entry.bundle.manifestSha256 &&
				other.configDigest === entry.configDigest,
		);
	return [
		...now.map((entry) => plannedSubject(entry, "boot")),
		...fallback.filter(isNew).map((entry) => plannedSubject(entry, "fallback")),
	];
}

function plannedSubject(entry: PlanFunction, where: "boot" | "fallback"): Unjudged {
	const { function: name, scope, bundle, tag, config } = entry;
	const { name: bundleName, version } = bundle;
	return { ...NOWHERE, where, function: name, scope, bundle: bundleName, version, tag, config };
}

/** A version that is held and not here: all that is known of it is its number, unless it is in the store. */
function heldSubject(host: Host, name: string, version: string): Unjudged {
	const stored = storedReleases(host).find(
		({ manifest }) => manifest?.name === name && manifest.version === version,
	)?.manifest;
	return {
		...NOWHERE,
		where: "held",
		held: true,
		function: stored?.function.name ?? name,
		bundle: name,
		version,
		tag: stored?.tag.value ?? "",
	};
}
