// The transparency log as a host sees it: the checkpoint that stands in each set, held against the one before, and whether a version
// is in it. Refuses a log that was rewritten, forked or cut since this host last looked, and versions outside of it.
import { SigningError } from "#signing/errors.ts";
import { type Checkpoint, type LogTrust, openCheckpoint } from "#signing/log/checkpoint.ts";
import { serializeLogEntry } from "#signing/log/entry.ts";
import { HASH_BYTES, leafHash, type TreeHead, truncated, verifyInclusion } from "#signing/log/merkle.ts";
import { NOTE_LIMITS } from "#signing/log/note.ts";
import { MAX_ENTRIES_BYTES, type TileName, type TileReader, tilePath, wrongTile } from "#signing/log/tile.ts";
import { LogTree } from "#signing/log/tree.ts";
import { logTrustOf, parseRegistryDocument } from "#signing/registry-document.ts";
import type { FetchFile } from "#signing/tuf/fetch-port.ts";
import { CHECKPOINT_FILE, logOfFiles, treeOf } from "./checkpoint-file.ts";
import { damaged } from "./damage.ts";
import { registryDocuments } from "./documents.ts";
import type { Companions, Remembered } from "./session.ts";
import type { TrustSet } from "./set.ts";

/** What the index says of a version, as far as it was logged. */
export interface LoggedVersion {
	readonly version: string;
	readonly sha256: string;
	readonly manifestSha256: string;
	readonly tag: string;
	readonly publishedAt: string;
	readonly log: { readonly index: number } | null;
}

/**
 * The documents of a set, and the checkpoint of the log that they name: opened, and consistent with what was seen before.
 * The errors of `registryDocuments` and `openCheckpoint`; LOG_TRUNCATED, LOG_FORKED; LOG_TILE where neither could be told.
 */
export function loggedDocuments(fetch: FetchFile): Companions {
	return async (walk, before) => {
		const documents = await registryDocuments(walk, before);
		const trust = logTrustOf(parseRegistryDocument(documents.get("registry.json")!));
		if (trust === undefined) return documents;
		const checkpoint = await fetchCheckpoint(fetch, trust, before);
		return new Map([...documents, [CHECKPOINT_FILE, checkpoint]]);
	};
}

/** The log that a set's documents name and the tree that its checkpoint states; undefined where they name none. HOST_TRUST_DAMAGED. */
export async function logOfSet(
	set: TrustSet,
	fetch: FetchFile,
): Promise<{ checkpoint: Checkpoint; bytes: Uint8Array; trust: LogTrust; tree: LogTree } | undefined> {
	const trust = logTrustOfSet(set);
	const bytes = set.files.get(CHECKPOINT_FILE);
	if (trust === undefined) return undefined;
	// "No checkpoint" must not pass for "no log".
	if (bytes === undefined)
		throw damaged(set.name, "holds no checkpoint of the log that its registry.json names");
	const checkpoint = await openCheckpoint(bytes, trust);
	return { checkpoint, bytes, trust, tree: new LogTree(fetchedTiles(fetch), checkpoint) };
}

export function logTrustOfSet(set: TrustSet): LogTrust | undefined {
	const document = set.files.get("registry.json");
	return document && logTrustOf(parseRegistryDocument(document));
}

/**
 * That the log in which this host believes holds the publication of this version: nobody is offered a bundle that others
 * cannot see. LOG_NOT_INCLUDED, LOG_TILE. Where the registry's offline keys name no log there is nothing to ask.
 */
export async function demandLogged(
	set: TrustSet,
	fetch: FetchFile,
	{ name, indexed }: { name: string; indexed: LoggedVersion },
): Promise<void> {
	const log = await logOfSet(set, fetch);
	if (log === undefined) return;
	const { version, log: place } = indexed;
	if (place === null || place.index >= log.checkpoint.size) {
		throw new SigningError("LOG_NOT_INCLUDED", `${name} ${version} is not in the registry's log`, {
			hint: "published just now, it may be waiting for witnesses: try again later; if it stays so, ask the registry's admin",
			details: { name, version, index: place?.index ?? null, size: log.checkpoint.size },
		});
	}
	// Made of what the metadata vouches for, so that the entries themselves need not be fetched.
	const leaf = leafHash(serializeLogEntry(publishEntry(name, indexed)));
	verifyInclusion(leaf, place.index, log.checkpoint, await log.tree.inclusionProof(place.index));
}

export function publishEntry(name: string, indexed: LoggedVersion) {
	const { version, sha256, manifestSha256, tag, publishedAt: at } = indexed;
	return { at, type: "publish", name, version, sha256, manifestSha256, tag } as const;
}

/** Tiles over the fetch port. Believed only through a LogTree. */
export function fetchedTiles(fetch: FetchFile): TileReader {
	const read = async (name: TileName, limit: number): Promise<Uint8Array> => {
		const bytes = await fetch(`log/${tilePath(name)}`, limit);
		if (bytes !== "missing") return bytes;
		throw wrongTile(name, "the registry does not have it");
	};
	return {
		tile: (level, index, width) => read({ level, index, width }, width * HASH_BYTES),
		entries: (index, width) => read({ level: "entries", index, width }, MAX_ENTRIES_BYTES),
	};
}

async function fetchCheckpoint(fetch: FetchFile, trust: LogTrust, before: Remembered): Promise<Uint8Array> {
	const seen = seenBefore(trust, before);
	const bytes = await fetch("log/checkpoint", NOTE_LIMITS.bytes);
	if (bytes === "missing") {
		if (seen !== undefined) throw truncated(seen, { size: 0, root: seen.root });
		throw new SigningError("LOG_CHECKPOINT_MALFORMED", "the registry has no checkpoint of its log", {
			hint: "its offline keys say that it keeps a log; ask its admin, or the mirror's",
			details: { origin: trust.origin },
		});
	}
	const checkpoint = await openCheckpoint(bytes, trust);
	if (seen !== undefined) await new LogTree(fetchedTiles(fetch), checkpoint).demandExtends(seen);
	return bytes;
}

/** Another origin is another log, of which this host remembers nothing: only the offline keys can name one. */
function seenBefore(trust: LogTrust, { set, mark }: Remembered): TreeHead | undefined {
	const seen = (set && logOfFiles(set.files)) ?? mark.log;
	return seen?.origin === trust.origin ? treeOf(seen) : undefined;
}
