// kfn export: a registry, or a mirror, as one file.

import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { ArchiveWriter } from "../mirror/archive-writer.ts";
import { copyTree } from "../mirror/copy.ts";
import { incomplete, openOrigin } from "../mirror/origin.ts";
import { openBase } from "../mirror/places.ts";
import { stateFields, stateText } from "../mirror/report.ts";
import { trustedHead } from "../mirror/verified-head.ts";
import { openContextHost } from "../open-host.ts";

export async function exportTree(
	context: Context,
	input: { file: string; since: string | undefined; registry: string | undefined },
): Promise<Output> {
	await using base = await openBase(input.since);
	await using out = await ArchiveWriter.create(input.file);
	const origin = await openOrigin(context, input.registry);
	context.onStep({ step: "verifying", detail: origin.description });
	const head = await trustedHead(openContextHost(context), origin);
	const report = await copyTree({
		...{ head, origin, out, bases: base.trees },
		missing: incomplete(origin),
		onFile: (path) => context.onStep({ step: "exporting", detail: path }),
	});
	const { sha256, size } = await out.finish();
	const fields = stateFields(report);
	return {
		json: {
			file: input.file,
			sha256,
			size,
			registry: origin.description,
			since: input.since ?? null,
			...fields,
		},
		text: `${sha256}  ${input.file}\n# ${origin.description}: ${stateText(fields)}`,
	};
}
