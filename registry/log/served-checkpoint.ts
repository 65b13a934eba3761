// Which checkpoint hosts are served: the newest, or, where the registry's signed document asks for witnesses, the newest that
// enough of them have cosigned. Refuses to verify: cosignatures are verified when they come in, and again by every host.
import type { LogTrust } from "#signing/log/checkpoint.ts";
import { parseNote, signaturesOf } from "#signing/log/note.ts";
import type { LogReads, StoredCheckpoint } from "../ports/log-store.ts";

/** Undefined while nothing was logged. Without a quorum anywhere it is the newest: hosts then say what it lacks. */
export async function servedCheckpoint(
	reads: LogReads,
	trust: LogTrust,
): Promise<StoredCheckpoint | undefined> {
	if (trust.quorum === 0) return reads.newestCheckpoint();
	const kept = await reads.listCheckpoints();
	return kept.find((checkpoint) => hasQuorum(checkpoint, trust)) ?? kept[0];
}

function hasQuorum({ bytes }: StoredCheckpoint, { witnesses, quorum }: LogTrust): boolean {
	const note = parseNote(bytes);
	return witnesses.filter((witness) => signaturesOf(note, witness).length > 0).length >= quorum;
}
