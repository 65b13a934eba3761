// kfn import: an export, verified as a registry's answers are, copied into a folder that this host then reads. What this host
// trusts moves last: until the folder has the new state, it reads the old one.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { ArchiveTree } from "../mirror/archive-reader.ts";
import { fillFolder } from "../mirror/fill-folder.ts";
import { FolderTree } from "../mirror/folder-tree.ts";
import { stateFields, stateText } from "../mirror/report.ts";
import { overlay, type TreeReader } from "../mirror/tree.ts";
import { TIMESTAMP_PATH, treeLimit } from "../mirror/tree-path.ts";
import { rehearsedHead, trustedHead } from "../mirror/verified-head.ts";
import { openContextHost } from "../open-host.ts";

export async function importTree(
	context: Context,
	input: { file: string; to: string | undefined; prune: boolean },
): Promise<Output> {
	const host = openContextHost(context);
	const folder = input.to === undefined ? host.layout.registry : resolve(input.to);
	await using archive = await ArchiveTree.open(input.file);
	await demandState(archive, input.file);
	const there = new FolderTree(folder);
	context.onStep({ step: "verifying", detail: input.file });
	const head = await rehearsedHead(host, overlay(archive, there, baseMissing(input.file, folder)));
	const report = await fillFolder(context, host, folder, {
		...{ head, origin: archive, bases: [], prune: input.prune },
		missing: baseMissing(input.file, folder),
	});
	await trustedHead(host, there);
	const fields = stateFields(report);
	const url = pathToFileURL(folder).href;
	return {
		json: { file: input.file, folder, url, ...fields, pruned: report.pruned },
		text: `${url}\n# ${stateText(fields, report.pruned)}`,
	};
}

async function demandState(archive: TreeReader, file: string): Promise<void> {
	if ((await archive.read(TIMESTAMP_PATH, treeLimit(TIMESTAMP_PATH)!)) !== undefined) return;
	throw new CliError("CLI_EXPORT_MALFORMED", `${file} has no timestamp, with which every export ends`, {
		hint: "nothing was imported; take the file that kfn export wrote, as it was",
	});
}

function baseMissing(file: string, folder: string): (path: string) => CliError {
	return (path) =>
		new CliError("CLI_IMPORT_BASE_MISSING", `${file} builds on a file that is not in ${folder}: ${path}`, {
			hint: "import what it was made --since first, or ask for an export without --since",
			details: { file, folder, path },
		});
}
