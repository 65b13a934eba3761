// Brings a folder to a state, under its lock: kfn mirror and kfn import.
import type { Host } from "#host/host.ts";
import type { Context } from "../context.ts";
import type { CliError } from "../errors.ts";
import { type CopyReport, copyTree, type VerifiedHead } from "./copy.ts";
import { WritableFolderTree } from "./folder-tree.ts";
import { withTreeLock } from "./lock.ts";
import { pathsOfState, prune } from "./prune.ts";
import type { TreeReader } from "./tree.ts";

export interface FillJob {
	readonly head: VerifiedHead;
	readonly origin: TreeReader;
	readonly bases: readonly TreeReader[];
	readonly prune: boolean;
	missing(path: string): CliError;
}

/** Errors of `copyTree`; CLI_MIRROR_BUSY. `pruned` files went. */
export function fillFolder(
	context: Context,
	host: Host,
	folder: string,
	job: FillJob,
): Promise<CopyReport & { readonly pruned: number }> {
	return withTreeLock(host, folder, async () => {
		const out = new WritableFolderTree(folder, host.durable);
		const before = job.prune ? await pathsOfState(out) : new Set<string>();
		const onFile = (path: string) => context.onStep({ step: "copying", detail: path });
		const report = await copyTree({ ...job, missing: (path) => job.missing(path), out, onFile });
		const pruned = job.prune ? prune(out, new Set([...before, ...report.paths])) : 0;
		return { ...report, pruned };
	});
}
