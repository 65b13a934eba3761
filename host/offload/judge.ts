// Gathers what a verdict needs: the device, what this host runs at it, what speaks for it. Refuses to judge by itself: verdict.ts does.
import { codeOf } from "../errors.ts";
import { generationNumbers, planOrUndefined } from "../generations.ts";
import type { Host } from "../host.ts";
import type { InspectAnswer } from "../loader-answers.ts";
import type { HostLock } from "../lock.ts";
import { inodeOf, type PlacedFunction, placesOf } from "../places.ts";
import { keyOf, type Plan } from "../plan.ts";
import { parseScope, type Scope, scopeParts } from "../scope.ts";
import { catalogueSource } from "./catalogue-source.ts";
import { type DeviceReport, identityOf } from "./device.ts";
import { devlinkClaims } from "./devlink.ts";
import { standingOf } from "./host-standing.ts";
import { observationOf, observedDevice } from "./observations.ts";
import type { SourceAnswer } from "./source.ts";
import type { Standing } from "./standing.ts";
import { isIn, isSame, type OffloadEntry, readEntries } from "./state.ts";
import { type KnownRelease, type RunningFunction, type Verdict, verdictOf } from "./verdict.ts";

/** The generation and the kernel as one judgement over several devices sees them. */
export interface Ground {
	readonly places: readonly PlacedFunction[];
	readonly kernel: InspectAnswer;
	readonly entries: readonly OffloadEntry[];
}

export async function groundOf(host: Host, plan: Plan): Promise<Ground> {
	const kernel = await pinsOf(host);
	const places = await placesOf(host, plan.functions, kernel.pins);
	return { places, kernel, entries: readEntries(host) };
}

/** Without a bpffs there are no pins, and nothing runs. */
async function pinsOf(host: Host): Promise<InspectAnswer> {
	try {
		return await host.loader.inspect([]);
	} catch (error) {
		if (codeOf(error) !== "LOAD_BPFFS_NOT_MOUNTED") throw error;
		return { ok: true, pins: [], foreign: [] };
	}
}

/** The place of a function that covers the device: the device itself, its namespace, or nowhere for what has no hook. */
export function placeAt(
	host: Host,
	places: readonly PlacedFunction[],
	device: Scope,
	functionName: string,
): PlacedFunction | undefined {
	const inode = inodeOf(host, parseScope(namespaceScope(device)));
	return places.find((place) => {
		if (place.function !== functionName) return false;
		const { kind } = scopeParts(place.scope);
		if (kind === "none") return true;
		return kind === "dev"
			? place.scope === device
			: kind === "netns" && inode !== undefined && place.inode === inode;
	});
}

function namespaceScope(device: Scope): string {
	const at = device.indexOf("@/");
	return at === -1 ? "netns:root" : `netns:${device.slice(at + 1)}`;
}

function runningAt(host: Host, ground: Ground, device: Scope, functionName: string): RunningFunction | null {
	const place = placeAt(host, ground.places, device, functionName);
	if (place === undefined) return null;
	const pin = ground.kernel.pins.find((candidate) => keyOf(candidate) === keyOf(place));
	const given = ground.entries.some(
		(entry) =>
			entry.device === device &&
			entry.function === functionName &&
			isIn(host, entry) &&
			isSame(entry.letIn, place),
	);
	return {
		function: place.function,
		abi: place.abi,
		tag: place.tag,
		configDigest: place.configDigest,
		bundle: place.bundle.name,
		version: place.bundle.version,
		scope: place.scope,
		live: place.scope === "none" || given || pin?.link?.alive === true,
	};
}

/** The verdict on one function at one device. With the lock, what its catalogue says is remembered against replays. */
export async function judge(
	host: Host,
	ground: Ground,
	device: Scope,
	report: DeviceReport,
	functionName: string,
	lock?: HostLock,
): Promise<Verdict> {
	const identity = identityOf(report, host.kernel);
	const claims = host.claims ?? catalogueSource(host, lock);
	const standing = host.standing ?? standingOf(host);
	const running = runningAt(host, ground, device, functionName);
	return verdictOf({
		function: functionName,
		identity,
		running,
		observation:
			running === null
				? undefined
				: observationOf(host, observedDevice(device, identity), functionName, running),
		answers: { catalogue: await claims.claims(identity), devlink: devlinkAnswer(report) },
		features: report.features,
		gsoMaxSegments: report.gsoMaxSegments,
		standing,
		release: (tag) => releaseOf(host, standing, tag),
	});
}

function devlinkAnswer({ devlink, problem }: DeviceReport): SourceAnswer {
	if (problem !== null) return { kind: "none", reason: "unreadable", why: problem.message };
	return devlinkClaims(devlink);
}

/** The release of a tag among the generations of this host: its newest, and when the first of them was made. */
function releaseOf(host: Host, standing: Standing, tag: string): KnownRelease | undefined {
	const plans = generationNumbers(host).flatMap((n) => planOrUndefined(host, n) ?? []);
	const made = plans.filter((plan) => plan.functions.some((entry) => entry.tag === tag));
	const bundle = made.at(-1)?.functions.find((entry) => entry.tag === tag)?.bundle;
	if (bundle === undefined) return undefined;
	const advisories = standing.advisories(bundle.name, bundle.version, tag);
	return { bundle: bundle.name, version: bundle.version, since: made[0]!.created, advisories };
}
