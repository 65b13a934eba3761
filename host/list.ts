// What is installed and which generations there are to go back to. Takes no lock and asks no kernel: status does that.
import type { Config } from "#bundle/config.ts";
import { codeOf } from "./errors.ts";
import { generationNumbers, planOrUndefined, readCurrentPlan } from "./generations.ts";
import { type Hold, readHolds } from "./holds.ts";
import type { Host } from "./host.ts";
import { setParameters } from "./parameters.ts";
import { type PlanFunction, sameFunctions } from "./plan.ts";

export interface ListedFunction {
	readonly bundle: string;
	readonly version: string;
	readonly function: string;
	readonly abi: number;
	readonly scope: string;
	readonly tag: string;
	readonly sha256: string;
	/** Every parameter with its effective value. */
	readonly config: Config;
	/** The parameters that are not at their defaults; null where the stored manifest cannot say. */
	readonly set: Config | null;
}

export interface ListedGeneration {
	readonly generation: number;
	readonly created: string | null;
	readonly reason: string | null;
	readonly current: boolean;
	/** Whether it has the same functions as the current one. */
	readonly same: boolean;
	/** Null where its plan cannot be read. */
	readonly functions: readonly ListedFunction[] | null;
}

/** `kfn list --json`. */
export interface ListReport {
	readonly generation: number;
	readonly installed: readonly ListedFunction[];
	/** Oldest first. */
	readonly generations: readonly ListedGeneration[];
	/** What the operator holds, installed or not; null where the file of holds is not understood: then nothing changes version. */
	readonly holds: readonly Hold[] | null;
}

/** Reads the generations; one whose plan cannot be read is listed without its functions. */
export function list(host: Host): ListReport {
	const current = readCurrentPlan(host);
	const generations = generationNumbers(host)
		.filter((n) => n <= current.generation)
		.map((n) => listGeneration(host, n, current.generation, current.functions));
	return {
		generation: current.generation,
		installed: listFunctions(host, current.functions),
		generations,
		holds: holdsOrNull(host),
	};
}

function holdsOrNull(host: Host): Hold[] | null {
	try {
		return readHolds(host);
	} catch (error) {
		if (codeOf(error) !== "HOST_HOLDS_MALFORMED") throw error;
		return null;
	}
}

function listGeneration(
	host: Host,
	n: number,
	current: number,
	active: readonly PlanFunction[],
): ListedGeneration {
	const plan = planOrUndefined(host, n);
	return {
		generation: n,
		created: plan?.created ?? null,
		reason: plan?.reason ?? null,
		current: n === current,
		same: plan !== undefined && sameFunctions(plan.functions, active),
		functions: plan === undefined ? null : listFunctions(host, plan.functions),
	};
}

function listFunctions(host: Host, functions: readonly PlanFunction[]): ListedFunction[] {
	return functions.map((entry) => ({
		bundle: entry.bundle.name,
		version: entry.bundle.version,
		function: entry.function,
		abi: entry.abi,
		scope: entry.scope,
		tag: entry.tag,
		sha256: entry.bundle.sha256,
		config: entry.config,
		set: setParameters(host, entry) ?? null,
	}));
}
