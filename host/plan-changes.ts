// What differs between two plans, function by function. Pure; refuses to say what the kernel did about it.
import type { Config, ConfigValue } from "#bundle/config.ts";
import { keyOf, type Plan, type PlanFunction } from "./plan.ts";

export interface ProvidedBy {
	readonly bundle: string;
	readonly version: string;
	readonly tag: string;
	readonly sha256: string;
}

/** One parameter with another value; null where one of the two bundles does not have it. */
export interface ParameterChange {
	readonly name: string;
	readonly from: ConfigValue | null;
	readonly to: ConfigValue | null;
}

/** One function in one scope that is not the same in both plans. */
export interface FunctionChange {
	readonly function: string;
	readonly scope: string;
	readonly change: "added" | "removed" | "changed";
	readonly from: ProvidedBy | null;
	readonly to: ProvidedBy | null;
	/** By name; empty where the function was added or removed. */
	readonly parameters: readonly ParameterChange[];
}

/** Every function that differs, in the plans' order; empty where both ask for the same. */
export function changesBetween(
	before: Pick<Plan, "functions">,
	after: Pick<Plan, "functions">,
): FunctionChange[] {
	const old = new Map(before.functions.map((entry) => [keyOf(entry), entry]));
	const now = new Map(after.functions.map((entry) => [keyOf(entry), entry]));
	const keys = [...new Set([...old.keys(), ...now.keys()])].sort();
	return keys.flatMap((key) => changeOf(old.get(key), now.get(key)) ?? []);
}

function changeOf(
	before: PlanFunction | undefined,
	after: PlanFunction | undefined,
): FunctionChange | undefined {
	const either = (before ?? after)!;
	const place = { function: either.function, scope: either.scope };
	const sides = { from: providedBy(before), to: providedBy(after) };
	if (before === undefined) return { ...place, change: "added", ...sides, parameters: [] };
	if (after === undefined) return { ...place, change: "removed", ...sides, parameters: [] };
	const parameters = parameterChanges(before.config, after.config);
	if (before.bundle.sha256 === after.bundle.sha256 && parameters.length === 0) return undefined;
	return { ...place, change: "changed", ...sides, parameters };
}

function providedBy(entry: PlanFunction | undefined): ProvidedBy | null {
	if (entry === undefined) return null;
	const { name, version, sha256 } = entry.bundle;
	return { bundle: name, version, tag: entry.tag, sha256 };
}

function parameterChanges(before: Config, after: Config): ParameterChange[] {
	const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
	return names.flatMap((name) => {
		const [from, to] = [before[name] ?? null, after[name] ?? null];
		// Values are plain JSON in one spelling: equal values have equal text.
		return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ name, from, to }];
	});
}
