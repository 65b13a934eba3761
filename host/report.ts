// What a changing command tells its caller: a plain value for text and JSON alike. Refuses to hold anything that was not observed.
import type { Bundle } from "#bundle/bundle.ts";
import type { HealthReport } from "./health-window.ts";
import { leftWarnings } from "./left.ts";
import type { AppliedFunction, ApplyAnswer, CheckAnswer, LeftFunction } from "./loader-answers.ts";
import { isWide, plannedKey } from "./places.ts";
import { keyOf, type Plan, type PlanFunction } from "./plan.ts";
import type { Recovery } from "./recover.ts";
import { covers, type Scope } from "./scope.ts";

/** One function of the generation after a change. */
export interface ChangedFunction {
	readonly function: string;
	readonly abi: number;
	/** One place, or the plan's own scope where that describes many and none is there now. */
	readonly scope: string;
	/** The plan's scope. */
	readonly planned: string;
	readonly bundle: string;
	readonly version: string;
	readonly tag: string;
	/**
	 * What was done in the kernel. `none`: proved, and nothing to attach, as its hook is none. `absent`: its place is gone, so that
	 * it cannot run; `unmatched`: nothing is there now that its scope describes. `refused`: it is not part of the change, does not
	 * run, and could not be proved or attached; a warning says why.
	 */
	readonly step: "attach" | "replace" | "keep" | "none" | "absent" | "unmatched" | "refused";
	/** The version that was active before, null where none was. */
	readonly from: string | null;
	/** Who proved it in this change; null where nobody could, and a kept one runs on untouched. */
	readonly verified: "loader" | "kernel" | null;
	readonly variant: string | null;
	/** Vectors run without attaching just before. */
	readonly vectors: number;
	/** Duration of the link call. */
	readonly nanoseconds: number | null;
}

/** `kfn install|upgrade|rollback|remove --json` (docs/formats/host-state.md). */
export interface ChangeReport {
	/** Whether a new generation was made. */
	readonly changed: boolean;
	readonly generation: number;
	/** The generation that was current before; equal to `generation` where nothing changed. */
	readonly previous: number;
	readonly reason: string;
	/** The id of the rollback permit by which it went to a lower version; null where none was needed. */
	readonly permit: string | null;
	/** Whether an interrupted change was found, and recovered from, first. */
	readonly recovered: boolean;
	/** What the health window saw; null where there was none. */
	readonly health: HealthReport | null;
	readonly functions: readonly ChangedFunction[];
	readonly detached: readonly {
		function: string;
		scope: string;
		bundle: string | null;
		version: string | null;
	}[];
	/** Whether generations and store entries were removed for good. */
	readonly purged: boolean;
	readonly warnings: readonly string[];
}

interface Done {
	readonly from: Plan;
	readonly next: Plan;
	readonly spec: {
		readonly reason: string;
		readonly permit?: string | undefined;
		readonly recovery: Recovery;
		readonly bundles: readonly Bundle[];
	};
	readonly checked: CheckAnswer | undefined;
	readonly applied: ApplyAnswer | undefined;
	readonly watched: HealthReport | undefined;
	readonly warnings: readonly string[];
}

/** The report of a change that was carried out. */
export function reportOf(done: Done): ChangeReport {
	const { from, next, spec, checked, applied, warnings } = done;
	const before = new Map(from.functions.map((entry) => [keyOf(entry), entry]));
	return {
		changed: true,
		generation: next.generation,
		previous: from.generation,
		reason: spec.reason,
		permit: spec.permit ?? null,
		recovered: spec.recovery.recovered,
		health: done.watched ?? null,
		functions: next.functions.flatMap((entry) =>
			changedFunctions(entry, before.get(keyOf(entry))?.bundle.version ?? null, applied, checked),
		),
		detached: (applied?.detached ?? []).map((gone) => {
			const bundle = from.functions.find((entry) => wasOf(entry, gone))?.bundle;
			return { ...gone, bundle: bundle?.name ?? null, version: bundle?.version ?? null };
		}),
		purged: false,
		warnings,
	};
}

function wasOf(entry: PlanFunction, gone: { readonly function: string; readonly scope: string }): boolean {
	const scope = gone.scope as Scope;
	return entry.function === gone.function && (entry.scope === scope || covers(entry.scope, scope));
}

/** The report of a command that had nothing to change; `applied` where it repaired what the kernel runs. */
export function unchangedReport(
	current: Plan,
	reason: string,
	recovery: Recovery,
	applied?: ApplyAnswer,
): ChangeReport {
	return {
		changed: false,
		generation: current.generation,
		previous: current.generation,
		reason,
		permit: null,
		recovered: recovery.recovered,
		health: null,
		functions: current.functions.flatMap((entry) =>
			changedFunctions(entry, entry.bundle.version, applied, undefined).map((changed) => ({
				...changed,
				...(applied === undefined ? { step: "keep" as const } : {}),
			})),
		),
		detached: [],
		purged: false,
		warnings: [...new Set([...recovery.warnings, ...leftWarnings(applied)])],
	};
}

/** One for each of its places; of an entry without any, one that says so. */
function changedFunctions(
	entry: PlanFunction,
	from: string | null,
	applied: ApplyAnswer | undefined,
	checked: CheckAnswer | undefined,
): ChangedFunction[] {
	const isOfEntry = (told: AppliedFunction | LeftFunction) => plannedKey(told) === keyOf(entry);
	const done = (applied?.functions ?? []).filter(isOfEntry);
	const left = (applied?.left ?? []).filter(isOfEntry);
	const tried = checked?.functions.find((candidate) => keyOf(candidate) === keyOf(entry));
	const places = [
		...done.map((told) => changedFunction(entry, told.scope, from, { done: told, left: undefined, tried })),
		...left.map((told) => changedFunction(entry, told.scope, from, { done: undefined, left: told, tried })),
	];
	if (places.length > 0) return places;
	return [changedFunction(entry, entry.scope, from, { done: undefined, left: undefined, tried })];
}

interface Told {
	readonly done: AppliedFunction | undefined;
	readonly left: LeftFunction | undefined;
	readonly tried: CheckAnswer["functions"][number] | undefined;
}

function changedFunction(
	entry: PlanFunction,
	scope: string,
	from: string | null,
	{ done, left, tried }: Told,
): ChangedFunction {
	const seen = done ?? tried;
	return {
		function: entry.function,
		abi: entry.abi,
		scope,
		planned: entry.scope,
		bundle: entry.bundle.name,
		version: entry.bundle.version,
		tag: entry.tag,
		step: done?.step ?? stepOfLeft(left, entry),
		from,
		verified: seen?.verified ?? null,
		variant: seen?.variant ?? null,
		vectors: tried?.vectors.run ?? seen?.vectors.run ?? 0,
		nanoseconds: done?.nanoseconds ?? null,
	};
}

function stepOfLeft(left: LeftFunction | undefined, { scope }: PlanFunction): ChangedFunction["step"] {
	if (left === undefined) return isWide(scope) ? "unmatched" : "absent";
	return left.running === true ? "keep" : "refused";
}
