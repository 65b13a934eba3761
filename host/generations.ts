// The generations of a host and which one is current. Refuses to change one that exists: a generation is written once.
import { readdirSync } from "node:fs";
import { linkTarget } from "./durable.ts";
import { codeOf, HostError } from "./errors.ts";
import type { Host } from "./host.ts";
import { type AppliedFunction, appliedFunctions } from "./loader-answers.ts";
import type { HostLock } from "./lock.ts";
import { emptyPlan, type Plan, parsePlan, serializePlan, time } from "./plan.ts";
import { count, exact, oneOf } from "./shape.ts";
import { readIfThere, readJson } from "./state-file.ts";

const POINTER = /^generations\/([1-9]\d{0,8})$/;

const appliedShape = exact({
	schema: oneOf("kfn.applied/1"),
	generation: count,
	at: time,
	functions: appliedFunctions,
});

/** What the loader answered when the generation was applied and had been checked. */
export interface Applied {
	readonly schema: "kfn.applied/1";
	readonly generation: number;
	readonly at: string;
	readonly functions: readonly AppliedFunction[];
}

/** The number that `current` points to; 0 where there is no such link: nothing of kfn's is active. */
export function currentGeneration(host: Host): number {
	const target = linkTarget(host.layout.current);
	if (target === undefined) return 0;
	const n = POINTER.exec(target)?.[1];
	if (n === undefined) {
		throw new HostError("HOST_STATE_MALFORMED", `${host.layout.current} points to ${target}`, {
			hint: "kfn did not write this; point it to generations/N of a generation that exists",
			details: { path: host.layout.current, target },
		});
	}
	return Number(n);
}

/** Numbers of the generations on disk, ascending; unfinished ones included. */
export function generationNumbers(host: Host): number[] {
	return listFolder(host.layout.generations)
		.filter((name) => /^[1-9]\d{0,8}$/.test(name))
		.map(Number)
		.sort((a, b) => a - b);
}

/** A generation's plan; HOST_NO_GENERATION, or HOST_PLAN_MALFORMED naming the file. 0 is the empty plan. */
export function readPlan(host: Host, n: number): Plan {
	if (n === 0) return emptyPlan();
	const path = host.layout.plan(n);
	const bytes = readIfThere(path);
	if (bytes === undefined) throw noGeneration(host, n);
	const plan = parsePlan(bytes, path);
	if (plan.generation === n) return plan;
	throw new HostError("HOST_PLAN_MALFORMED", `${path} says that it is generation ${plan.generation}`, {
		details: { source: path },
	});
}

/** A plan, or undefined where it is gone or damaged: one bad generation must not hide the others. */
export function planOrUndefined(host: Host, n: number): Plan | undefined {
	try {
		return readPlan(host, n);
	} catch (error) {
		if (codeOf(error) !== "HOST_PLAN_MALFORMED" && codeOf(error) !== "HOST_NO_GENERATION") throw error;
		return undefined;
	}
}

/** The plan that is current; safe beside a change, which may purge a generation between two looks. */
export function readCurrentPlan(host: Host): Plan {
	const n = currentGeneration(host);
	try {
		return readPlan(host, n);
	} catch (error) {
		if (codeOf(error) !== "HOST_NO_GENERATION" || currentGeneration(host) === n) throw error;
		return readPlan(host, currentGeneration(host));
	}
}

/** What the loader said of a generation; undefined for generation 0 and for one that never ran. */
export function readApplied(host: Host, n: number): Applied | undefined {
	return n === 0 ? undefined : readJson(host.layout.applied(n), appliedShape);
}

export function writePlan(lock: HostLock, plan: Plan): void {
	const { durable, layout } = lock.host;
	durable.makeFolder(layout.generation(plan.generation));
	durable.writeFile(layout.plan(plan.generation), serializePlan(plan));
}

export function writeApplied(lock: HostLock, applied: Applied): void {
	lock.host.durable.writeFile(
		lock.host.layout.applied(applied.generation),
		`${JSON.stringify(applied, null, 2)}\n`,
	);
}

/** Makes a generation current: the moment of commit. 0 removes the pointer. */
export function pointTo(lock: HostLock, n: number): void {
	const { durable, layout } = lock.host;
	if (n === 0) durable.removeFile(layout.current);
	else durable.swapLink(layout.current, `generations/${n}`);
}

export function removeGeneration(lock: HostLock, n: number): void {
	lock.host.durable.removeTree(lock.host.layout.generation(n));
}

/** Names in a folder, sorted; none where it does not exist. */
export function listFolder(path: string): string[] {
	try {
		return readdirSync(path).sort();
	} catch (error) {
		if (codeOf(error) === "ENOENT") return [];
		throw error;
	}
}

export function noGeneration(host: Host, n: number): HostError {
	const have = generationNumbers(host);
	return new HostError("HOST_NO_GENERATION", `there is no generation ${n}`, {
		hint: have.length === 0 ? "nothing was ever installed here" : `there are: ${have.join(", ")}`,
		details: { generation: n, have },
	});
}
