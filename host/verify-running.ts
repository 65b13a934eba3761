// Proves that the kernel runs the verified programs: the loader loads a second copy of each and compares. Refuses to call
// proved what nobody could look at.
import { type Details, HostError } from "./errors.ts";
import { readCurrentPlan } from "./generations.ts";
import type { Host } from "./host.ts";
import type { ProvedFunction } from "./loader-answers.ts";
import type { PlanFunction } from "./plan.ts";
import { parseScope } from "./scope.ts";

export interface RunningRequest {
	/** A function or a bundle; all of the generation unless given. */
	name?: string | undefined;
	scope?: string | undefined;
}

/** `kfn verify --running --json` (docs/formats/host-state.md). */
export interface RunningReport {
	readonly generation: number;
	readonly functions: readonly ProvedFunction[];
}

/**
 * Proves each function of the generation that the request names.
 *
 * HOST_RUNNING_DIFFERS where one runs another program, else HOST_RUNNING_UNPROVED where one could not be compared; both
 * have all answers in `details.functions`. HOST_NOT_INSTALLED where the generation has nothing of that name.
 */
export async function verifyRunning(host: Host, request: RunningRequest = {}): Promise<RunningReport> {
	const plan = readCurrentPlan(host);
	const wanted = plan.functions.filter((entry) => isWanted(entry, request));
	if (wanted.length === 0 && (request.name !== undefined || request.scope !== undefined)) {
		const what = [request.name ?? "nothing", request.scope].filter((word) => word !== undefined).join(" in ");
		throw new HostError("HOST_NOT_INSTALLED", `generation ${plan.generation} does not have ${what}`, {
			hint: "kfn status shows what it has",
		});
	}
	if (wanted.length === 0) return { generation: plan.generation, functions: [] };
	const { functions } = await host.loader.prove({ ...plan, functions: wanted });
	const differs = functions.find(({ proof }) => proof === "differs");
	const unproved = functions.find(({ proof }) => proof === "unknown");
	const details: Details = { generation: plan.generation, functions };
	if (differs !== undefined) {
		const message = `${differs.function} in ${differs.scope} runs another program than the verified one: ${differs.reason}`;
		throw new HostError("HOST_RUNNING_DIFFERS", message, {
			hint: "something else changed it; kfn install of the same bundle puts the verified one back",
			details,
		});
	}
	if (unproved !== undefined) {
		const why = unproved.reason ?? unproved.error?.message ?? "the loader does not say why";
		throw new HostError("HOST_RUNNING_UNPROVED", `${unproved.function} in ${unproved.scope}: ${why}`, {
			hint: unproved.error?.hint ?? "kfn status shows what runs",
			details,
		});
	}
	return { generation: plan.generation, functions };
}

function isWanted(entry: PlanFunction, { name, scope }: RunningRequest): boolean {
	if (scope !== undefined && entry.scope !== parseScope(scope)) return false;
	// What has no hook runs nowhere; only who asks for it is told that it cannot be proved.
	if (entry.scope === "none" && name === undefined && scope === undefined) return false;
	return name === undefined || entry.function === name || entry.bundle.name === name;
}
