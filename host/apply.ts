// Makes a desired state the host's, in one change: one generation, or none where nothing differs. What it refuses is in
// apply-plan.ts; how the change is made, in change.ts.
import { type ApplyPlan, type DesiredEntry, planApply } from "./apply-plan.ts";
import { type ChangeStep, change, planSteps } from "./change.ts";
import type { Host, OnStep } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { keyOf, type PlanFunction, sameFunctions } from "./plan.ts";
import { changesBetween } from "./plan-changes.ts";
import { recover } from "./recover.ts";
import { repair } from "./repair.ts";
import { type ChangeReport, unchangedReport } from "./report.ts";
import { floored } from "./trust-state/floors.ts";

export interface ApplyRequest {
	readonly entries: readonly DesiredEntry[];
	readonly onStep?: OnStep | undefined;
}

/** What would be done for one function. */
export interface PlannedFunction {
	readonly function: string;
	readonly scope: string;
	readonly bundle: string;
	readonly version: string;
	readonly step: "attach" | "replace" | "keep" | "detach";
	/** The version that is active now, null where none is. */
	readonly from: string | null;
}

/** `kfn apply --dry-run --json` (docs/formats/state.md). */
export interface DryRunReport {
	readonly dryRun: true;
	/** Whether there would be a new generation. */
	readonly changed: boolean;
	readonly generation: number;
	readonly previous: number;
	readonly reason: string;
	readonly functions: readonly PlannedFunction[];
	/** In order, each with what its failure would mean; none where nothing would change. */
	readonly steps: readonly ChangeStep[];
	readonly warnings: readonly string[];
}

/**
 * Applies a desired state. Nothing to do: no new generation, but what something else detached is attached again.
 *
 * HOST_HELD, HOST_DOWNGRADE, HOST_FUNCTION_TAKEN, HOST_HOOK_TAKEN, HOST_SCOPE_CONFLICT, HOST_FOREIGN_PROGRAM, HOST_NETNS_GONE and whatever
 * a bundle is refused for come with the entry in `details.entry`, before anything was written.
 */
export async function applyState(lock: HostLock, { entries, onStep }: ApplyRequest): Promise<ChangeReport> {
	const recovery = await recover(lock, onStep);
	const plan = await planApply(lock.host, entries, onStep);
	const reason = reasonOf(plan);
	if (sameFunctions(plan.current.functions, plan.functions)) {
		const applied = await repair(lock, new Set(plan.functions.map(keyOf)));
		return withWarnings(unchangedReport(plan.current, reason, recovery, applied), plan.warnings);
	}
	const { functions, required, arrivals } = plan;
	const permits = arrivals.flatMap(({ permit }) => permit?.id ?? []);
	const report = await change(lock, {
		reason,
		permit: permits[0],
		functions,
		bundles: bundlesOf(plan),
		required,
		recovery,
		onStep,
	});
	return withWarnings(flooredAll(lock, plan, report), plan.warnings);
}

/** What {@link applyState} would do now. Takes no lock and writes nothing; errors as there. */
export async function dryRun(host: Host, { entries, onStep }: ApplyRequest): Promise<DryRunReport> {
	const plan = await planApply(host, entries, onStep);
	const { current, functions, warnings } = plan;
	const changed = !sameFunctions(current.functions, functions);
	const generation = changed ? current.generation + 1 : current.generation;
	const spec = { functions, bundles: bundlesOf(plan) };
	return {
		dryRun: true,
		changed,
		generation,
		previous: current.generation,
		reason: reasonOf(plan),
		functions: plannedFunctions(plan),
		steps: changed ? planSteps(spec, current.generation, generation, host.health()) : [],
		warnings,
	};
}

function plannedFunctions({ current, functions }: ApplyPlan): PlannedFunction[] {
	const before = new Map(current.functions.map((entry) => [keyOf(entry), entry]));
	const after = new Set(functions.map(keyOf));
	return [
		...functions.map((entry) => {
			const old = before.get(keyOf(entry));
			const isSame = old !== undefined && sameFunctions([old], [entry]);
			const step = old === undefined ? "attach" : isSame ? "keep" : "replace";
			return planned(entry, step, old?.bundle.version ?? null);
		}),
		...current.functions
			.filter((entry) => !after.has(keyOf(entry)))
			.map((entry) => planned(entry, "detach", entry.bundle.version)),
	];
}

function planned(entry: PlanFunction, step: PlannedFunction["step"], from: string | null): PlannedFunction {
	const { function: name, scope, bundle } = entry;
	return { function: name, scope, bundle: bundle.name, version: bundle.version, step, from };
}

function reasonOf({ current, functions, arrivals }: ApplyPlan): string {
	const changes = changesBetween(current, { functions });
	const count = (what: string) => changes.filter(({ change: how }) => how === what).length;
	const counts = ["added", "changed", "removed"].flatMap((what) =>
		count(what) === 0 ? [] : `${count(what)} ${what}`,
	);
	const permits = arrivals.flatMap(({ permit }) => permit?.id ?? []);
	const by = permits.length === 0 ? "" : `, by permit ${[...new Set(permits)].join(", ")}`;
	return `apply a state: ${counts.length === 0 ? "nothing to do" : counts.join(", ")}${by}`;
}

function bundlesOf({ arrivals }: ApplyPlan) {
	return [...new Map(arrivals.map(({ bundle }) => [bundle.sha256, bundle])).values()];
}

/** Each version that came moves the floor of its own name only, by its own permit. */
function flooredAll(lock: HostLock, { arrivals }: ApplyPlan, report: ChangeReport): ChangeReport {
	let { warnings } = report;
	for (const { bundle, raisesFloor, permit } of arrivals) {
		const own = { ...report, permit: permit?.id ?? null, warnings };
		warnings = floored(lock, { raisesFloor }, bundle, own).warnings;
	}
	return { ...report, warnings };
}

function withWarnings(report: ChangeReport, more: readonly string[]): ChangeReport {
	return { ...report, warnings: [...report.warnings, ...more] };
}
