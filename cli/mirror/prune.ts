// Takes out of a mirror what no state needs any more. Refuses to touch a file that is not named as the tree's files are, and
// what the state before this one consists of: a reader may be in the middle of it.
import { parseCheckpoint } from "#signing/log/checkpoint.ts";
import { TILE_WIDTH, tilePath, tileWidth } from "#signing/log/tile.ts";
import { binNames } from "#signing/tuf/bins.ts";
import { parseEnvelope, type SignedByRole, type TopLevelRole } from "#signing/tuf/metadata.ts";
import type { WritableFolderTree } from "./folder-tree.ts";
import type { TreeReader } from "./tree.ts";
import {
	CHECKPOINT_PATH,
	HEAD_PATHS,
	metadataPath,
	TIMESTAMP_PATH,
	targetTreePath,
	treeLimit,
} from "./tree-path.ts";

/**
 * What the state in the tree consists of, except what every later state has, too (roots, full tiles of the log). Nothing is
 * verified: it only says what to keep. Of a tree that is in no state, less comes back, or nothing.
 */
export async function pathsOfState(tree: TreeReader): Promise<Set<string>> {
	const paths = new Set<string>(HEAD_PATHS);
	for (const part of [metadataAndTargets, partialTiles]) {
		try {
			await part(tree, paths);
		} catch {
			// Damaged: readers cannot be in the middle of it.
		}
	}
	return paths;
}

/** Removes what is not among `keep`, and what interrupted writes left; answers how many files that were. */
export function prune(tree: WritableFolderTree, keep: ReadonlySet<string>): number {
	const gone = [...tree.list().filter((path) => !keep.has(path)), ...tree.leftovers()];
	for (const path of gone) tree.remove(path);
	return gone.length;
}

async function metadataAndTargets(tree: TreeReader, paths: Set<string>): Promise<void> {
	const timestamp = await signedOf(tree, TIMESTAMP_PATH, "timestamp");
	const add = (role: string, version: number) => {
		const path = metadataPath(role, version);
		paths.add(path);
		return path;
	};
	const snapshotPath = add("snapshot", timestamp.meta["snapshot.json"].version);
	const { meta } = await signedOf(tree, snapshotPath, "snapshot");
	const versionOf = (role: string) => meta[`${role}.json`]?.version ?? 0;
	const targets = await signedOf(tree, add("targets", versionOf("targets")), "targets");
	const bins = targets.delegations === undefined ? [] : binNames(targets.delegations.succinct_roles);
	addTargets(paths, targets);
	for (const bin of bins) addTargets(paths, await signedOf(tree, add(bin, versionOf(bin)), "targets"));
}

function addTargets(paths: Set<string>, { targets }: SignedByRole["targets"]): void {
	for (const [target, { hashes }] of Object.entries(targets)) {
		const path = targetTreePath(target, hashes.sha256);
		if (path !== undefined) paths.add(path);
	}
}

async function partialTiles(tree: TreeReader, paths: Set<string>): Promise<void> {
	const bytes = await tree.read(CHECKPOINT_PATH, treeLimit(CHECKPOINT_PATH)!);
	if (bytes === undefined) return;
	const { size } = parseCheckpoint(bytes);
	for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
		const index = Math.floor(hashes / TILE_WIDTH);
		const width = tileWidth(level, index, size);
		if (width === 0) continue;
		paths.add(`v1/log/${tilePath({ level, index, width })}`);
		if (level === 0) paths.add(`v1/log/${tilePath({ level: "entries", index, width })}`);
	}
}

async function signedOf<T extends TopLevelRole>(
	tree: TreeReader,
	path: string,
	role: T,
): Promise<SignedByRole[T]> {
	const bytes = await tree.read(path, treeLimit(path)!);
	return parseEnvelope(bytes ?? new Uint8Array(), role).signed;
}
