// The one way from the current plan to the next: an ordered list of steps as data, each with what its failure means.
// Refuses to leave the host between two generations: whatever fails before the commit is taken back by recovery.
import type { Bundle } from "#bundle/bundle.ts";
import { readEnabled } from "./boot/enable.ts";
import { codeOf, HostError, withDetails } from "./errors.ts";
import {
	currentGeneration,
	planOrUndefined,
	pointTo,
	readApplied,
	writeApplied,
	writePlan,
} from "./generations.ts";
import { type Counters, type HealthMark, recordGood, settleGood } from "./health.ts";
import { type HealthSettings, hasWindow, NO_HEALTH_WINDOW } from "./health-settings.ts";
import { baselineOf, type HealthReport, healthWindow } from "./health-window.ts";
import type { Host, OnStep } from "./host.ts";
import { dropJournal, writeJournal } from "./journal.ts";
import { leftWarnings } from "./left.ts";
import type { AppliedFunction, ApplyAnswer, CheckAnswer, InspectAnswer } from "./loader-answers.ts";
import type { HostLock } from "./lock.ts";
import { appendLog, tryLog } from "./log.ts";
import { applyNarrowed } from "./offload/narrow.ts";
import { settle, takeOutMismatched } from "./offload/settle.ts";
import { readEntries } from "./offload/state.ts";
import { isWide, plannedKey } from "./places.ts";
import { emptyPlan, keyOf, type Plan, type PlanFunction, sameFunctions } from "./plan.ts";
import { demandNotStopped } from "./recall/list-state.ts";
import { demandNotRevoked } from "./recall/revoked.ts";
import { type Recovery, reapply, recover, runnable, sweep } from "./recover.ts";
import { type ChangeReport, reportOf } from "./report.ts";
import { unlessDamaged } from "./state-file.ts";
import { importBundle } from "./store.ts";

/** A change that a verb asks for. */
export interface ChangeSpec {
	/** One line for `plan.json` and the log: "upgrade flow-dissector 1.0.0 → 1.0.1". */
	readonly reason: string;
	/** The id of the rollback permit that lets it go to a lower version. */
	readonly permit?: string | undefined;
	/** What shall be active afterwards, in the plan's order. */
	readonly functions: readonly PlanFunction[];
	/** Verified bundles to import; those that `functions` names and the store already has need not be here. */
	readonly bundles: readonly Bundle[];
	/** Without the operator's health window: what it finds must not bring back what the change takes off. */
	readonly unwatched?: boolean | undefined;
	/** Keys of functions that must run for the change to succeed, even where their namespace is gone. */
	readonly required: ReadonlySet<string>;
	/** What recovery did before this change. */
	readonly recovery: Recovery;
	readonly onStep?: OnStep | undefined;
}

/**
 * One step of a change. `failure` says what its failing means: `sweep`: nothing reached the kernel, remove the leavings;
 * `recover`: re-establish the current generation; `stands`: the change is committed, and the failure is a warning.
 */
export interface ChangeStep {
	readonly step: StepName;
	readonly detail: string;
	readonly failure: "sweep" | "recover" | "stands";
}

export type StepName =
	| "import"
	| "preflight"
	| "write"
	| "journal"
	| "out"
	| "apply"
	| "check"
	| "window"
	| "record"
	| "commit"
	| "mark"
	| "finish"
	| "in"
	| "log";

const REVOCATION_LOOK_MS = 250;

interface Running {
	readonly lock: HostLock;
	readonly spec: ChangeSpec;
	readonly from: Plan;
	readonly next: Plan;
	/** `next` without what cannot run because its namespace is gone. */
	readonly effective: Plan;
	readonly gone: readonly PlanFunction[];
	/** What the change does not touch: where it cannot be proved again, it stays as it is and must not stop the rest. */
	readonly mayStay: readonly PlanFunction[];
	readonly warnings: string[];
	readonly health: HealthSettings;
	/** What the functions that will be replaced answered before. */
	baseline: readonly Counters[];
	watched: HealthReport | undefined;
	checked: CheckAnswer | undefined;
	applied: ApplyAnswer | undefined;
}

/** The steps of a change, in the order that keeps the old generation the truth until the commit. */
export function planSteps(
	spec: Pick<ChangeSpec, "bundles" | "functions">,
	from: number,
	to: number,
	health: HealthSettings = NO_HEALTH_WINDOW,
	offload = false,
): ChangeStep[] {
	const bundles = spec.bundles.map(({ manifest }) => `${manifest.name} ${manifest.version}`).join(", ");
	return [
		...(bundles === "" ? [] : [{ step: "import", detail: bundles, failure: "sweep" } as const]),
		...(spec.functions.length === 0
			? []
			: [{ step: "preflight", detail: "verify, load and try without attaching", failure: "sweep" } as const]),
		{ step: "write", detail: `generation ${to}`, failure: "sweep" },
		{ step: "journal", detail: `${from} → ${to}`, failure: "recover" },
		...(offload
			? [{ step: "out", detail: "devices out that would run something else", failure: "recover" } as const]
			: []),
		{ step: "apply", detail: "swap in the kernel", failure: "recover" },
		{ step: "check", detail: "compare the kernel with the plan", failure: "recover" },
		...(hasWindow(health)
			? [{ step: "window", detail: "watch what changed, and run the check", failure: "recover" } as const]
			: []),
		{ step: "record", detail: "what the loader saw", failure: "recover" },
		{ step: "commit", detail: `generation ${to} is current`, failure: "recover" },
		{ step: "mark", detail: `generation ${to} is good`, failure: "stands" },
		{ step: "finish", detail: "drop the journal", failure: "stands" },
		...(offload ? [{ step: "in", detail: "devices in that match", failure: "stands" } as const] : []),
		{ step: "log", detail: "log.jsonl", failure: "stands" },
	];
}

/**
 * Changes what runs, and says what was done.
 *
 * Any failure before the commit leaves, or by recovery re-establishes, the old generation, and is thrown as it came;
 * where recovery failed too, `details.recovery` says why, and the next changing command recovers first. A failure after
 * the commit is a warning in the report.
 */
export async function change(lock: HostLock, spec: ChangeSpec): Promise<ChangeReport> {
	const running = await begin(lock, spec);
	const { from, next, health } = running;
	const offload = readEntries(lock.host).length > 0;
	for (const step of planSteps(spec, from.generation, next.generation, health, offload)) {
		spec.onStep?.({ step: step.step, detail: step.detail });
		try {
			await RUN[step.step](running);
		} catch (error) {
			if (step.failure === "stands" || committed(running, step)) {
				running.warnings.push(`${step.step}: ${(error as Error).message}`);
			} else {
				throw await takeBack(running, step, error);
			}
		}
	}
	return reportOf(running);
}

const RUN: Readonly<Record<StepName, (running: Running) => Promise<void> | void>> = {
	import({ lock, spec }) {
		for (const bundle of spec.bundles) importBundle(lock, bundle);
	},
	async preflight(running) {
		const { lock, effective, mayStay, health } = running;
		const stop = new AbortController();
		const baseline = baselineOf(lock.host, replaced(running), health.seconds, stop.signal);
		try {
			running.checked = await lock.host.loader.check(effective, mayStay);
		} catch (error) {
			stop.abort();
			throw error;
		} finally {
			running.baseline = await baseline;
		}
	},
	write({ lock, next }) {
		writePlan(lock, next);
	},
	journal({ lock, from, next }) {
		writeJournal(lock, { from: from.generation, to: next.generation });
	},
	async out({ lock, effective, next }) {
		await takeOutMismatched(lock, effective, `generation ${next.generation} came`);
	},
	async apply(running) {
		const { lock, effective, mayStay, warnings, checked } = running;
		running.applied = await applyNarrowed(lock, effective, mayStay, checked?.functions);
		for (const warning of leftWarnings(running.applied)) {
			// Recovery, just before, may have said the same.
			if (!warnings.includes(warning)) warnings.push(warning);
		}
	},
	async check(running) {
		compareWithKernel(running, await look(running));
	},
	async window(running) {
		const { lock, next, health, applied, baseline } = running;
		const functions = (applied?.functions ?? []).filter(({ step }) => step !== "keep");
		const change = { generation: next.generation, functions };
		const stop = new AbortController();
		const look = setInterval(() => abortRevoked(running, stop), REVOCATION_LOOK_MS);
		try {
			running.watched = await healthWindow(lock.host, health, change, baseline, stop.signal);
		} finally {
			clearInterval(look);
		}
	},
	record(running) {
		const { lock, next } = running;
		const at = lock.host.now().toISOString();
		const functions = recordOf(running);
		writeApplied(lock, { schema: "kfn.applied/1", generation: next.generation, at, functions });
		if (isWhole(running)) recordGood(lock, next.generation, markOf(running));
	},
	commit(running) {
		const { lock, next } = running;
		// What was revoked while this change was at work; a revocation that comes later finds it active, and takes it off.
		demandNoneRevoked(running);
		pointTo(lock, next.generation);
	},
	mark({ lock }) {
		settleGood(lock);
	},
	finish({ lock }) {
		dropJournal(lock);
	},
	async in({ lock, warnings }) {
		warnings.push(...(await settle(lock, (held) => reapply(held, new Set()))).warnings);
	},
	log(running) {
		const { from, next } = running;
		const { functions, detached } = reportOf(running);
		appendLog(running.lock, {
			event: "changed",
			from: from.generation,
			to: next.generation,
			reason: next.reason,
			functions: [...functions, ...detached.map((entry) => ({ ...entry, step: "detach" }))].map(
				({ function: name, scope, step }) => ({ function: name, scope, step }),
			),
		});
	},
};

/** What runs now under a name that will run something else. */
function replaced({ from, effective }: Running): readonly PlanFunction[] {
	return from.functions.filter((before) =>
		effective.functions.some((entry) => keyOf(entry) === keyOf(before) && !sameFunctions([entry], [before])),
	);
}

function markOf({ watched }: Running): HealthMark {
	if (watched === undefined) return { by: "operator", reason: "no health window" };
	const { seconds, check, counters } = watched;
	const passed = check === null ? "" : `, and its check passed: ${check.join(" ")}`;
	return { by: "window", reason: `watched for ${seconds} s${passed}`, counters };
}

/** One with a function that is left as it is would not load at boot: nothing to fall back to. */
function isWhole({ applied }: Running): boolean {
	return applied?.left.length === 0;
}

async function begin(lock: HostLock, spec: ChangeSpec): Promise<Running> {
	const from = readFrom(lock);
	const next: Plan = {
		schema: "kfn.plan/1",
		generation: from.generation + 1,
		created: lock.host.now().toISOString(),
		reason: spec.reason,
		functions: spec.functions,
	};
	const { plan: effective, gone } = await runnable(lock.host, next, spec.required);
	const mayStay = effective.functions.filter(
		(entry) =>
			!spec.required.has(keyOf(entry)) && from.functions.some((before) => sameFunctions([before], [entry])),
	);
	const warnings = [...spec.recovery.warnings, ...laterPlaces(lock.host, from, spec.functions)];
	const done = { checked: undefined, applied: undefined, watched: undefined, baseline: [] };
	const health = spec.unwatched === true ? NO_HEALTH_WINDOW : lock.host.health();
	demandNoneRevoked({ lock, from, next });
	return { health, lock, spec, from, next, effective, gone, mayStay, warnings, ...done };
}

/** HOST_REVOKED where the change brings a revoked function; one that is active already is for the recall to take off. */
function demandNoneRevoked({ lock, from, next }: Pick<Running, "lock" | "from" | "next">): void {
	const brought = next.functions.filter(
		(entry) => !from.functions.some((before) => sameFunctions([before], [entry])),
	);
	if (brought.length === 0) return;
	demandNotStopped(lock.host);
	demandNotRevoked(lock.host, brought);
}

/** A window may last an hour, and what is watched in it runs already. */
function abortRevoked(running: Running, stop: AbortController): void {
	try {
		demandNoneRevoked(running);
	} catch (error) {
		stop.abort(error);
	}
}

/** Who asked for places that are yet to come should know what it takes. */
function laterPlaces(host: Host, from: Plan, functions: readonly PlanFunction[]): string[] {
	const known = new Set(from.functions.map(keyOf));
	const scopes = functions.filter((entry) => isWide(entry.scope) && !known.has(keyOf(entry)));
	if (scopes.length === 0 || readEnabled(host) !== undefined) return [];
	return scopes.map(
		({ scope }) =>
			`what ${scope} describes and appears later is attached by the next change; after kfn boot enable, when it appears`,
	);
}

/** What the loader proved now, and for what it left as it is, what it had proved when that was loaded. */
function recordOf({ lock, from, effective, applied }: Running): AppliedFunction[] {
	const left = new Set(applied?.left.map(keyOf));
	const before =
		left.size === 0 ? [] : (unlessDamaged(() => readApplied(lock.host, from.generation))?.functions ?? []);
	const known = [
		...(applied?.functions ?? []),
		...before
			.filter((entry) => left.has(keyOf(entry)))
			.map((entry) => ({ ...entry, step: "keep" as const, nanoseconds: 0 })),
	];
	return effective.functions.flatMap((entry) => known.filter((seen) => plannedKey(seen) === keyOf(entry)));
}

/** The current plan; a damaged one counts as empty here, so that a rollback can leave it behind. */
function readFrom(lock: HostLock): Plan {
	const generation = currentGeneration(lock.host);
	return planOrUndefined(lock.host, generation) ?? { ...emptyPlan(), generation };
}

async function look({ lock, effective }: Running): Promise<InspectAnswer> {
	try {
		return await lock.host.loader.inspect([]);
	} catch (error) {
		// Without a bpffs there are no pins: the empty plan is fulfilled, and `kfn remove` works before it is mounted.
		if (codeOf(error) !== "LOAD_BPFFS_NOT_MOUNTED" || effective.functions.length > 0) throw error;
		return { ok: true, pins: [], foreign: [] };
	}
}

function compareWithKernel(running: Running, seen: InspectAnswer): void {
	const pins = new Map(seen.pins.map((pin) => [keyOf(pin), pin]));
	for (const applied of running.applied?.functions ?? []) {
		if (applied.step === "none") continue;
		const pin = pins.get(keyOf(applied));
		const tags = pin?.programs.map((program) => program.kernelTag).join();
		const wanted = applied.programs.map((program) => program.kernelTag).join();
		if (pin?.link?.alive === true && tags === wanted) continue;
		throw new HostError("HOST_CHECK_FAILED", `after the change ${keyOf(applied)} does not run as planned`, {
			hint: "something else changed the kernel at the same time; kfn status shows what runs",
			details: { function: applied.function, scope: applied.scope, wanted, seen: tags ?? null },
		});
	}
	const { functions = [], left = [] } = running.applied ?? {};
	const planned = new Set([...functions, ...left].map(keyOf));
	const extra = seen.pins.find((pin) => !planned.has(keyOf(pin)));
	if (extra !== undefined) {
		throw new HostError("HOST_CHECK_FAILED", `after the change ${keyOf(extra)} is still pinned`, {
			details: { function: extra.function, scope: extra.scope },
		});
	}
}

/** "Failed, but it was written": what `current` says now decides, not what the call said. */
function committed({ lock, next }: Running, step: ChangeStep): boolean {
	if (step.step !== "commit") return false;
	try {
		return currentGeneration(lock.host) === next.generation;
	} catch {
		return false;
	}
}

/** Undoes by the same recovery that runs after a kill, and returns the error to throw. */
async function takeBack(running: Running, step: ChangeStep, error: unknown): Promise<unknown> {
	const { lock, spec, from, next } = running;
	const failed = {
		event: "failed",
		from: from.generation,
		to: next.generation,
		reason: spec.reason,
	} as const;
	spec.onStep?.({ step: "undo", detail: `${step.step} failed` });
	try {
		if (step.failure === "recover") await recover(lock);
		else sweep(lock);
	} catch (second) {
		const recovery = { code: codeOf(second), message: (second as Error).message };
		const hint = "the host is in the middle of the change; the next changing command recovers first";
		return withDetails(error, { recovery }, hint);
	}
	tryLog(lock, { ...failed, code: codeOf(error), message: (error as Error).message });
	return error;
}
