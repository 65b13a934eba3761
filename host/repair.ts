// Makes the kernel run the current generation again where something else changed it. Refuses to touch a host that is as it should be.
import type { ApplyAnswer } from "./loader-answers.ts";
import type { HostLock } from "./lock.ts";
import { plannedKey } from "./places.ts";
import { keyOf } from "./plan.ts";
import { reapply } from "./recover.ts";
import { status } from "./status.ts";

/** Re-applies the generation where one of the functions (by key) has drifted; undefined where none has. Errors of `reapply`. */
export async function repair(lock: HostLock, keys: ReadonlySet<string>): Promise<ApplyAnswer | undefined> {
	const { drift, functions } = await status(lock.host);
	const concerned = new Set(functions.filter((entry) => keys.has(plannedKey(entry))).map(keyOf));
	const isConcerned = drift.some(
		({ function: name, scope }) =>
			name !== null && scope !== null && concerned.has(keyOf({ function: name, scope })),
	);
	return isConcerned ? reapply(lock, keys) : undefined;
}
