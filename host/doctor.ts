// Looks at everything that kfn needs of a host and says, one by one, what is well, what is not, and what could not be told. Takes no
// lock, writes nothing, and refuses to stop at the first finding.
import { bootCheck } from "./doctor/boot.ts";
import { type Check, type CheckResult, runCheck } from "./doctor/check.ts";
import { bpffsCheck, featuresCheck, jitCheck, loaderCheck, lockCheck } from "./doctor/kernel.ts";
import { recallCheck } from "./doctor/recall.ts";
import {
	clockCheck,
	diskCheck,
	driftCheck,
	generationsCheck,
	holdsCheck,
	journalCheck,
	storeCheck,
	trustCheck,
} from "./doctor/state.ts";
import type { Host } from "./host.ts";

/** In the order in which they are told: what others rest on comes first. A new check is one more line. */
export const CHECKS: readonly Check[] = [
	loaderCheck,
	bpffsCheck,
	featuresCheck,
	jitCheck(),
	lockCheck(),
	journalCheck,
	generationsCheck,
	storeCheck,
	driftCheck,
	holdsCheck,
	trustCheck,
	recallCheck,
	clockCheck,
	diskCheck,
	bootCheck,
];

/** `kfn doctor --json` (docs/formats/doctor.md). */
export interface DoctorReport {
	/** Whether no check found a problem; what could not be told is none. */
	readonly ok: boolean;
	readonly checks: readonly CheckResult[];
}

export async function doctor(host: Host, checks: readonly Check[] = CHECKS): Promise<DoctorReport> {
	const results: CheckResult[] = [];
	for (const check of checks) results.push(...(await runCheck(host, check)));
	return { ok: results.every(({ state }) => state !== "problem"), checks: results };
}
