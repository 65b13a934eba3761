// Looks at devices and says, per function, what runs here, what they say they can run, and the verdict. Takes no lock; refuses to change anything.
import { readCurrentPlan } from "../generations.ts";
import type { Host } from "../host.ts";
import { type Scope, scopeParts } from "../scope.ts";
import { type DeviceReport, deviceWord, identityOf, lookAt } from "./device.ts";
import { devlinkClaims } from "./devlink.ts";
import { OffloadError } from "./errors.ts";
import { carriersOf, OFFLOADABLE_FUNCTIONS } from "./features.ts";
import { type Ground, groundOf, judge, placeAt } from "./judge.ts";
import type { Identity } from "./source.ts";
import { isIn, type OffloadEntry } from "./state.ts";
import type { Verdict } from "./verdict.ts";

export type OffloadState = "in" | "out" | "pending";

/** One function at one device. */
export interface FunctionSurvey extends Verdict {
	/** What the device was given; null: nothing. */
	readonly state: OffloadState | null;
	/** Why it is out. */
	readonly why: string | null;
	/** The features that carry it, as they are: null where Linux has none. */
	readonly features: Readonly<Record<string, boolean>> | null;
}

export interface DeviceSurvey {
	/** As commands take it: `eth0`, `eth0@/run/netns/blue`. */
	readonly device: string;
	readonly identity: Identity;
	readonly functions: readonly FunctionSurvey[];
}

/** One device: the functions named, or those that run at it, that it was given, or that something says it can run. */
export async function surveyDevice(
	host: Host,
	device: Scope,
	functions?: readonly string[],
): Promise<DeviceSurvey> {
	const report = await lookAt(host.devices, device);
	return survey(host, await groundOf(host, readCurrentPlan(host)), device, report, functions);
}

export interface Survey {
	readonly devices: readonly DeviceSurvey[];
	/** Namespaces that could not be looked at. */
	readonly unseen: readonly { readonly netns: string; readonly message: string }[];
}

/** All devices of the machine's namespace and of those with a name; without `all`, those of which there is something to say. */
export async function surveyAll(host: Host, all: boolean): Promise<Survey> {
	const ground = await groundOf(host, readCurrentPlan(host));
	const found: DeviceSurvey[] = [];
	const unseen: { netns: string; message: string }[] = [];
	for (const [netns, suffix] of namespacesOf(host)) {
		const reports = await showOr(host, netns, (message) => unseen.push({ netns, message }));
		for (const report of reports) {
			const device = `dev:${report.device}${suffix}` as Scope;
			const one = await survey(host, ground, device, report, undefined);
			const isOfInterest = one.functions.some(({ state, claims }) => state !== null || claims.length > 0);
			if (all || isOfInterest) found.push(one);
		}
	}
	return { devices: found, unseen };
}

/** A namespace that ended meanwhile, or that the caller may not enter, hides no other. */
async function showOr(
	host: Host,
	netns: string,
	tell: (message: string) => void,
): Promise<readonly DeviceReport[]> {
	try {
		return await host.devices.show(netns);
	} catch (error) {
		if (!(error instanceof OffloadError) || error.exit !== 1) throw error;
		tell(error.message);
		return [];
	}
}

/** Files of the namespaces, with what a device's name ends in there. One that is the machine's own is not listed twice. */
function namespacesOf(host: Host): [string, string][] {
	const root = "/proc/1/ns/net";
	const own = host.namespaces.identity(root);
	const named = host.namespaces.named().filter((path) => host.namespaces.identity(path) !== own);
	return [[root, ""], ...named.map((path): [string, string] => [path, `@${path}`])];
}

async function survey(
	host: Host,
	ground: Ground,
	device: Scope,
	report: DeviceReport,
	functions: readonly string[] | undefined,
): Promise<DeviceSurvey> {
	const names = functions ?? namesAt(host, ground, device, report);
	const verdicts: FunctionSurvey[] = [];
	for (const name of names) {
		const verdict = await judge(host, ground, device, report, name);
		const entry = ground.entries.find((one) => one.device === device && one.function === name);
		const state = entry === undefined ? null : stateOf(host, entry);
		verdicts.push({ ...verdict, state, why: entry?.why ?? null, features: featuresAt(report, name) });
	}
	const worthSaying = (one: FunctionSurvey) =>
		functions !== undefined || one.running !== null || one.state !== null || one.claims.length > 0;
	return {
		device: deviceWord(device),
		identity: identityOf(report, host.kernel),
		functions: verdicts.filter(worthSaying),
	};
}

function namesAt(host: Host, ground: Ground, device: Scope, report: DeviceReport): string[] {
	const claimed = devlinkClaims(report.devlink);
	const running = ground.places.filter(
		(place) => placeAt(host, [place], device, place.function) !== undefined,
	);
	const given = ground.entries.filter((entry) => entry.device === device);
	const names = [...OFFLOADABLE_FUNCTIONS, ...[...running, ...given].map(({ function: name }) => name)];
	if (claimed.kind === "claims") names.push(...claimed.claims.map(({ function: name }) => name));
	return [...new Set(names)].sort();
}

export function stateOf(host: Host, entry: OffloadEntry): OffloadState {
	if (entry.state === "entering" || entry.state === "leaving") return "pending";
	return isIn(host, entry) ? "in" : "out";
}

function featuresAt({ features }: DeviceReport, name: string): Record<string, boolean> | null {
	const carriers = carriersOf(name);
	if (carriers === undefined) return null;
	const all = [...carriers.carried, ...carriers.also, ...carriers.never];
	return Object.fromEntries(all.map((feature) => [feature, features[feature]?.active === true]));
}

/** What devices were given, without asking them. */
export function givenNamespaces(entries: readonly OffloadEntry[]): string[] {
	return [...new Set(entries.map(({ device }) => scopeParts(device).netns))].sort();
}
