// The registry's checkpoint as a file of a set, and its size as the mark keeps it. Refuses to verify: that was done before it
// became part of a set, which is authenticated as a whole.
import { parseCheckpoint } from "#signing/log/checkpoint.ts";
import { rolledBack } from "./damage.ts";
import type { TrustMark } from "./mark.ts";

/** The checkpoint's name in a set: the bytes that the registry served, signed by the log's key and the witnesses asked for. */
export const CHECKPOINT_FILE = "checkpoint";

/** The checkpoint's size in a set's files; 0 where there is none. */
export function logSize(files: ReadonlyMap<string, Uint8Array>): number {
	const bytes = files.get(CHECKPOINT_FILE);
	return bytes === undefined ? 0 : parseCheckpoint(bytes).size;
}

/** HOST_TRUST_ROLLED_BACK where the log has fewer entries than the mark says. */
export function demandLogSize(files: ReadonlyMap<string, Uint8Array>, mark: TrustMark): void {
	const found = logSize(files);
	if (found >= mark.log.size) return;
	throw rolledBack(`a log of ${found} entries`, { found, marked: mark.log.size });
}
