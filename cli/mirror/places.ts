// What --since names: the folder of a mirror, or a file that kfn export wrote. Refuses a folder in which there is no tree: a
// mistyped path would make a full copy out of a difference, and nobody would see it.
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { CliError } from "../errors.ts";
import { ArchiveTree } from "./archive-reader.ts";
import { FolderTree } from "./folder-tree.ts";
import type { TreeReader } from "./tree.ts";
import { TIMESTAMP_PATH, treeLimit } from "./tree-path.ts";

export interface Base extends AsyncDisposable {
	readonly trees: readonly TreeReader[];
}

/** Without a path, no base. CLI_FILE_UNREADABLE where there is nothing, or no tree. */
export async function openBase(path: string | undefined): Promise<Base> {
	if (path === undefined) return { trees: [], async [Symbol.asyncDispose]() {} };
	const isFolder = (await stat(path)).isDirectory();
	const tree = isFolder ? new FolderTree(resolve(path)) : await ArchiveTree.open(path);
	const base: Base = {
		trees: [tree],
		async [Symbol.asyncDispose]() {
			if (tree instanceof ArchiveTree) await tree[Symbol.asyncDispose]();
		},
	};
	if ((await tree.read(TIMESTAMP_PATH, treeLimit(TIMESTAMP_PATH)!)) !== undefined) return base;
	await base[Symbol.asyncDispose]();
	throw new CliError("CLI_FILE_UNREADABLE", `${path} holds no mirror and is no export`, {
		hint: "--since takes the folder that kfn mirror or kfn import filled, or the file that kfn export wrote",
		details: { path },
	});
}
