// The port through which every durable write and every step between two of them passes, so that tests can end the
// process or fail the call exactly there. Refuses to do anything on its own: without a fault it only calls through.
import { HostError } from "./errors.ts";

/** A door that effects pass; `point` names the effect for a human, its number is its order of passing. */
export interface Faults {
	around<T>(point: string, effect: () => T): T;
	aroundAsync<T>(point: string, effect: () => Promise<T>): Promise<T>;
}

/** The product's door: calls through. */
export const noFaults: Faults = {
	around: (_point, effect) => effect(),
	aroundAsync: (_point, effect) => effect(),
};

export const FAULT_KINDS = ["kill-before", "kill-after", "fail", "fail-after", "full"] as const;

/**
 * What happens at the chosen point: SIGKILL to this process before or after the effect, EIO instead of it, EIO although
 * it took place ("failed, but it was written"), ENOSPC instead of it.
 */
export type FaultKind = (typeof FAULT_KINDS)[number];

/** A door that counts what passes and misbehaves at one point. */
export interface CountingFaults extends Faults {
	/** Names of the points passed so far, in order. */
	readonly passed: readonly string[];
}

/** Makes a door that misbehaves at the `at`-th point (from 1; 0 never) in the manner of `kind`. */
export function faultAt(at: number, kind: FaultKind): CountingFaults {
	const passed: string[] = [];
	const before = (point: string): FaultKind | undefined => {
		passed.push(point);
		if (passed.length !== at) return undefined;
		if (kind === "kill-before") die();
		if (kind === "fail") throw injected("EIO", point);
		if (kind === "full") throw injected("ENOSPC", point);
		return kind;
	};
	const after = (now: FaultKind | undefined, point: string) => {
		if (now === "kill-after") die();
		if (now === "fail-after") throw injected("EIO", point);
	};
	return {
		passed,
		around(point, effect) {
			const now = before(point);
			const result = effect();
			after(now, point);
			return result;
		},
		async aroundAsync(point, effect) {
			const now = before(point);
			const result = await effect();
			after(now, point);
			return result;
		},
	};
}

/** Parses `N:KIND`, the text of KFN_FAULT (tests only); HOST_FAULT_MALFORMED otherwise. */
export function parseFault(text: string): CountingFaults {
	const [, at, kind] = /^([1-9]\d{0,5}):([a-z-]+)$/.exec(text) ?? [];
	const known = FAULT_KINDS.find((name) => name === kind);
	if (at === undefined || known === undefined) {
		throw new HostError("HOST_FAULT_MALFORMED", `not a fault: ${text}`, {
			hint: `N:KIND with KIND one of ${FAULT_KINDS.join(", ")}`,
		});
	}
	return faultAt(Number(at), known);
}

function die(): never {
	process.kill(process.pid, "SIGKILL");
	// The signal is delivered before the call returns to user space; this line only tells the compiler so.
	throw new Error("unreachable after SIGKILL");
}

function injected(code: "EIO" | "ENOSPC", point: string): Error {
	return Object.assign(new Error(`injected ${code} at "${point}"`), { code, injected: true });
}
