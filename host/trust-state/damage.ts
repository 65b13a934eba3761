// The two ways in which a host's memory of its registry can be wrong. Refuses to guess which older state would do: none does.
import { HostError } from "../errors.ts";

const RECOVER =
	"kfn trust recover starts again from the pinned root, and takes nothing older; then look for the cause (the disk, a restored backup)";

/** HOST_TRUST_DAMAGED about one file; `details.path` names it. */
export function damaged(path: string, why: string, cause?: unknown): HostError {
	return new HostError("HOST_TRUST_DAMAGED", `${path} ${why}`, { hint: RECOVER, details: { path }, cause });
}

/** HOST_TRUST_ROLLED_BACK: what was found beside what was remembered. */
export function rolledBack(what: string, details: Readonly<Record<string, unknown>>): HostError {
	return new HostError("HOST_TRUST_ROLLED_BACK", `${what} is older than what this host has verified before`, {
		hint: RECOVER,
		details,
	});
}
