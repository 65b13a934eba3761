// The names of the files that a registry's static tree consists of (docs/formats/mirror.md), with the most bytes that each may
// have. Refuses every other name, so that no path made of a stranger's text can leave the tree's folder.
import { MAX_ARCHIVE_BYTES } from "#registry/api/wire.ts";
import { MAX_LOG_ENTRY_BYTES } from "#signing/log/entry.ts";
import { HASH_BYTES } from "#signing/log/merkle.ts";
import { parseTilePath } from "#signing/log/tile.ts";
import { RECALL_LIST_LIMITS } from "#signing/recall-list.ts";
import { METADATA_LIMIT } from "#signing/tuf/metadata.ts";

export const TIMESTAMP_PATH = "v1/metadata/timestamp.json";
export const CHECKPOINT_PATH = "v1/log/checkpoint";
export const NAMES_PATH = "v1/names.json";
export const RECALL_PATH = "v1/recall.json";

/** Files that are replaced; all others have their version, digest or place in the log in their name and never change. */
export const HEAD_PATHS: readonly string[] = [NAMES_PATH, RECALL_PATH, CHECKPOINT_PATH, TIMESTAMP_PATH];

/** Names, at most 64 bytes each with their quotes and comma, for a hundred thousand bundles. */
const NAMES_LIMIT = 8 * 1024 * 1024;
const CHECKPOINT_LIMIT = 64 * 1024;
const LONGEST_PART = 255;
const LONGEST_PATH = 1024;

const SEGMENT = "[A-Za-z0-9_][A-Za-z0-9._-]*";
const KINDS: readonly { readonly path: RegExp; readonly limit: number }[] = [
	{ path: /^v1\/metadata\/timestamp\.json$/, limit: METADATA_LIMIT },
	{
		path: /^v1\/metadata\/[1-9]\d{0,15}\.(?:root|snapshot|targets|bin-[0-9a-f]{1,8})\.json$/,
		limit: METADATA_LIMIT,
	},
	{ path: new RegExp(`^v1/targets/(?:${SEGMENT}/)+[0-9a-f]{64}\\.${SEGMENT}$`), limit: MAX_ARCHIVE_BYTES },
	{ path: /^v1\/log\/checkpoint$/, limit: CHECKPOINT_LIMIT },
	{ path: /^v1\/names\.json$/, limit: NAMES_LIMIT },
	{ path: /^v1\/recall\.json$/, limit: RECALL_LIST_LIMITS.envelopeBytes },
];

/** The most bytes that the file of this name may have; undefined for what is no name of the tree. */
export function treeLimit(path: string): number | undefined {
	if (path.length > LONGEST_PATH || path.split("/").some((part) => part.length > LONGEST_PART))
		return undefined;
	return KINDS.find((kind) => kind.path.test(path))?.limit ?? tileLimit(path);
}

function tileLimit(path: string): number | undefined {
	if (!path.startsWith("v1/log/")) return undefined;
	const name = parseTilePath(path.slice("v1/log/".length));
	if (name === undefined) return undefined;
	return name.width * (name.level === "entries" ? 2 + MAX_LOG_ENTRY_BYTES : HASH_BYTES);
}

/** `v1/metadata/N.ROLE.json`. */
export function metadataPath(role: string, version: number): string {
	return `v1/metadata/${version}.${role}.json`;
}

/**
 * `DIR/BASE` with this sha256 as `v1/targets/DIR/SHA256.BASE` (TUF 1.0.34 §5.7.3, consistent snapshots); undefined for a
 * target path that no tree of kfn holds: without a folder, or with parts that a file server may read as something else.
 */
export function targetTreePath(target: string, sha256: string): string | undefined {
	const cut = target.lastIndexOf("/") + 1;
	const path = `v1/targets/${target.slice(0, cut)}${sha256}.${target.slice(cut)}`;
	return treeLimit(path) === undefined ? undefined : path;
}
