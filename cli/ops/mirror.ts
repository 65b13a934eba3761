// kfn mirror: a registry, or another mirror, copied into a folder.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { fillFolder } from "../mirror/fill-folder.ts";
import { incomplete, openOrigin } from "../mirror/origin.ts";
import { openBase } from "../mirror/places.ts";
import { stateFields, stateText } from "../mirror/report.ts";
import { trustedHead } from "../mirror/verified-head.ts";
import { openContextHost } from "../open-host.ts";

export async function mirror(
	context: Context,
	input: { folder: string; since: string | undefined; prune: boolean; registry: string | undefined },
): Promise<Output> {
	const host = openContextHost(context);
	const folder = resolve(input.folder);
	await using base = await openBase(input.since);
	const origin = await openOrigin(context, input.registry);
	context.onStep({ step: "verifying", detail: origin.description });
	const head = await trustedHead(host, origin);
	const missing = incomplete(origin);
	const report = await fillFolder(context, host, folder, {
		...{ head, origin, missing },
		bases: base.trees,
		prune: input.prune,
	});
	const fields = stateFields(report);
	const url = pathToFileURL(folder).href;
	return {
		json: { folder, url, registry: origin.description, ...fields, pruned: report.pruned },
		text: `${folder} is ${origin.description} now: ${stateText(fields, report.pruned)}`,
	};
}
