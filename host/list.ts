// What is installed and which generations there are to go back to. Takes no lock and asks no kernel: status does that.
import { codeOf } from "./errors.ts";
import { generationNumbers, readCurrentPlan, readPlan } from "./generations.ts";
import type { Host } from "./host.ts";
import { type PlanFunction, sameFunctions } from "./plan.ts";

export interface ListedFunction {
	readonly bundle: string;
	readonly version: string;
	readonly function: string;
	readonly abi: number;
	readonly scope: string;
	readonly tag: string;
	readonly sha256: string;
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
}

/** Reads the generations; one whose plan cannot be read is listed without its functions. */
export function list(host: Host): ListReport {
	const current = readCurrentPlan(host);
	const generations = generationNumbers(host)
		.filter((n) => n <= current.generation)
		.map((n) => listGeneration(host, n, current.generation, current.functions));
	return { generation: current.generation, installed: current.functions.map(listFunction), generations };
}

function listGeneration(
	host: Host,
	n: number,
	current: number,
	active: readonly PlanFunction[],
): ListedGeneration {
	try {
		const { created, reason, functions } = readPlan(host, n);
		const same = sameFunctions(functions, active);
		return {
			generation: n,
			created,
			reason,
			current: n === current,
			same,
			functions: functions.map(listFunction),
		};
	} catch (error) {
		if (codeOf(error) !== "HOST_PLAN_MALFORMED" && codeOf(error) !== "HOST_NO_GENERATION") throw error;
		return {
			generation: n,
			created: null,
			reason: null,
			current: n === current,
			same: false,
			functions: null,
		};
	}
}

function listFunction({ bundle, function: name, abi, scope, tag }: PlanFunction): ListedFunction {
	return {
		bundle: bundle.name,
		version: bundle.version,
		function: name,
		abi,
		scope,
		tag,
		sha256: bundle.sha256,
	};
}
