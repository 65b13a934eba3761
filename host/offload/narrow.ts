// Leaves out of what the kernel is told to run what a device runs in its place (design §7). Refuses to leave anything out whose tag, ABI
// and config are not those that the device was let in for.
import type { Host } from "../host.ts";
import type { AppliedFunction, ApplyAnswer, CheckAnswer } from "../loader-answers.ts";
import type { HostLock } from "../lock.ts";
import { isWide, placesOf } from "../places.ts";
import { keyOf, type Plan, type PlanFunction } from "../plan.ts";
import { type Scope, scopeParts } from "../scope.ts";
import { isIn, isSame, type OffloadEntry, readEntries } from "./state.ts";

/** A plan without what devices run, and what that is. */
export interface Narrowed {
	readonly plan: Plan;
	/** Entries of the plan that run in devices only: nothing of them is attached. */
	readonly given: readonly PlanFunction[];
	/** Of a place of a wide scope that stands for itself here, the plan's own scope. */
	readonly planned: ReadonlyMap<string, Scope>;
}

/** The devices that run the function instead of the kernel. */
export function takers(host: Host, entry: PlanFunction): readonly OffloadEntry[] {
	return readEntries(host).filter(
		(taker) => taker.function === entry.function && isIn(host, taker) && isSame(taker.letIn, entry),
	);
}

export async function narrowed(host: Host, plan: Plan): Promise<Narrowed> {
	const functions: PlanFunction[] = [];
	const given: PlanFunction[] = [];
	const planned = new Map<string, Scope>();
	for (const entry of plan.functions) {
		const { kind } = scopeParts(entry.scope);
		const devices = new Set(
			kind === "dev" || isWide(entry.scope) ? takers(host, entry).map(({ device }) => device) : [],
		);
		if (devices.has(entry.scope)) given.push(entry);
		else if (devices.size === 0 || !isWide(entry.scope)) functions.push(entry);
		else {
			const places = await placesOf(host, plan.functions);
			const own = places.filter(
				(place) => place.function === entry.function && place.planned === entry.scope,
			);
			if (!own.some(({ scope }) => devices.has(scope))) functions.push(entry);
			else
				for (const { scope } of own.filter((place) => !devices.has(place.scope))) {
					functions.push({ ...entry, scope });
					planned.set(keyOf({ function: entry.function, scope }), entry.scope);
				}
		}
	}
	return { plan: { ...plan, functions: functions.toSorted(byKey) }, given, planned };
}

const byKey = (a: PlanFunction, b: PlanFunction) =>
	Buffer.compare(Buffer.from(a.function), Buffer.from(b.function)) ||
	Buffer.compare(Buffer.from(a.scope), Buffer.from(b.scope));

/**
 * `loader.apply` of a plan without what devices run. What is left out is answered as `none`: proved by `checked`, nothing to attach.
 */
export async function applyNarrowed(
	lock: HostLock,
	plan: Plan,
	mayStay: readonly PlanFunction[],
	checked: CheckAnswer["functions"] = [],
): Promise<ApplyAnswer> {
	const { loader } = lock.host;
	const { plan: rest, given, planned } = await narrowed(lock.host, plan);
	const scopeIn = (entry: PlanFunction) => planned.get(keyOf(entry)) ?? entry.scope;
	const leave = rest.functions.filter((entry) =>
		mayStay.some((other) => other.function === entry.function && other.scope === scopeIn(entry)),
	);
	const answer = await loader.apply(rest, lock.fd, leave);
	const told = <T extends { readonly function: string; readonly scope: string }>(one: T): T => {
		const wide = planned.get(keyOf(one));
		return wide === undefined ? one : { ...one, planned: wide };
	};
	const inDevices = given.flatMap((entry): AppliedFunction[] => {
		const proved = checked.find((one) => keyOf(one) === keyOf(entry));
		return proved === undefined ? [] : [{ ...proved, step: "none", nanoseconds: 0 }];
	});
	return { ...answer, functions: [...answer.functions.map(told), ...inDevices], left: answer.left.map(told) };
}
