// The registry's checkpoint as a file of a set, and the tree that it states as the mark keeps it. Refuses to verify: that was done
// before it became part of a set, which is authenticated as a whole.
import { decodeBase64, encodeBase64 } from "#signing/base64.ts";
import { parseCheckpoint } from "#signing/log/checkpoint.ts";
import { HASH_BYTES, type TreeHead } from "#signing/log/merkle.ts";
import { logTrustOf, parseRegistryDocument } from "#signing/registry-document.ts";
import { damaged, rolledBack } from "./damage.ts";
import type { MarkedLog, TrustMark } from "./mark.ts";

/** The checkpoint's name in a set: the bytes that the registry served, signed by the log's key and the witnesses asked for. */
export const CHECKPOINT_FILE = "checkpoint";

/** The log and its tree in a set's files; null where there is none. */
export function logOfFiles(files: ReadonlyMap<string, Uint8Array>): MarkedLog | null {
	const bytes = files.get(CHECKPOINT_FILE);
	if (bytes === undefined) return null;
	const { origin, size, root } = parseCheckpoint(bytes);
	return { origin, size, root: encodeBase64(root) };
}

export function treeOf({ size, root }: MarkedLog): TreeHead {
	return { size, root: decodeBase64(root, HASH_BYTES)! };
}

/**
 * HOST_TRUST_ROLLED_BACK where the log has fewer entries than the mark says, or is not there; HOST_TRUST_DAMAGED where it is another
 * tree of that size. Nothing where the documents in `files` name another log, or none: the registry's offline keys signed them.
 */
export function demandLog(files: ReadonlyMap<string, Uint8Array>, { log: marked }: TrustMark): void {
	if (marked === null) return;
	const document = files.get("registry.json");
	if (document !== undefined && logTrustOf(parseRegistryDocument(document))?.origin !== marked.origin) return;
	const found = logOfFiles(files);
	if (found === null || found.size < marked.size) {
		throw rolledBack(`a log of ${found?.size ?? 0} entries`, {
			found: found?.size ?? 0,
			marked: marked.size,
		});
	}
	if (found.size === marked.size && found.root !== marked.root) {
		throw damaged(CHECKPOINT_FILE, "states another log than this host has seen");
	}
}
