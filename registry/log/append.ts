// Appends one entry to the registry's log and signs the new checkpoint, in the transaction of what the entry records. Refuses
// to build on a log that is not the one it signed last: a damaged store must not become a fork under the registry's own key.
import type { SecretKey } from "#signing/ed25519.ts";
import { SigningError } from "#signing/errors.ts";
import { type LogTrust, openCheckpoint, signCheckpoint } from "#signing/log/checkpoint.ts";
import { type LogEntry, serializeLogEntry } from "#signing/log/entry.ts";
import { EMPTY_ROOT, leafHash, type TreeHead } from "#signing/log/merkle.ts";
import { LogTree } from "#signing/log/tree.ts";
import { RegistryError } from "../api/errors.ts";
import type { LogReads, LogWrites } from "../ports/log-store.ts";
import { servedCheckpoint } from "./served-checkpoint.ts";
import { storedTiles } from "./stored-tiles.ts";

/** The registry's own log: what its signed document says of it, and the key to sign with. */
export interface LogSigner {
	readonly trust: LogTrust;
	/** Of `trust.key`. */
	readonly secret: SecretKey;
}

/** So many checkpoints stay for witnesses to cosign after the log has grown beyond them. */
const KEPT_CHECKPOINTS = 256;

/**
 * Appends; answers the entry's index. The new checkpoint is signed before the transaction commits: when that rolls back,
 * nobody has seen it, and what is signed instead for the same size forks from nothing that was ever served.
 *
 * REGISTRY_LOG_DAMAGED: the store does not hold the log that its checkpoint states; nothing is signed. REGISTRY_BUSY:
 * another transaction was first (cannot be where transactions are serial).
 */
export async function appendToLog(
	tx: LogReads & LogWrites,
	{ trust, secret }: LogSigner,
	entry: LogEntry,
): Promise<number> {
	const bytes = serializeLogEntry(entry);
	const head = await ownHead(tx, trust);
	const { tiles, head: next } = await ofOwnLog(() =>
		new LogTree(storedTiles(tx), head).appended(leafHash(bytes)),
	);
	const grown = await tx.growLog({
		expectedSize: head.size,
		entry: bytes,
		published: entry.type === "publish" ? { name: entry.name, version: entry.version } : null,
		tiles,
		checkpoint: await signCheckpoint(trust.origin, next, secret),
	});
	if (!grown)
		throw new RegistryError("REGISTRY_BUSY", "the log grew at the same moment", { hint: "try again" });
	await prune(tx, trust, next.size);
	return head.size;
}

/** The head of the last checkpoint that was signed. REGISTRY_LOG_DAMAGED when its signature is not the log's. */
export async function ownHead(reads: LogReads, trust: LogTrust): Promise<TreeHead> {
	const stored = await reads.newestCheckpoint();
	if (stored === undefined) return { size: 0, root: EMPTY_ROOT };
	// Whether witnesses have cosigned it is no question when it is extended.
	return ofOwnLog(() => openCheckpoint(stored.bytes, { ...trust, witnesses: [], quorum: 0 }));
}

/** Kept are the newest ones, and the one that hosts are served, however old it is. */
async function prune(tx: LogReads & LogWrites, trust: LogTrust, size: number): Promise<void> {
	const oldest = size - KEPT_CHECKPOINTS;
	if (oldest <= 0) return;
	const served = await servedCheckpoint(tx, trust);
	await tx.pruneCheckpoints(oldest, served?.size ?? oldest);
}

async function ofOwnLog<T>(read: () => Promise<T>): Promise<T> {
	try {
		return await read();
	} catch (error) {
		if (!(error instanceof SigningError)) throw error;
		throw new RegistryError("REGISTRY_LOG_DAMAGED", `the stored log is damaged: ${error.message}`, {
			hint: "nothing was changed; restore the data folder's newest backup, and expect hosts that saw more of the log to refuse it",
			details: { logCode: error.code },
			cause: error,
		});
	}
}
