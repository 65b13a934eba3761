// kfn gc: removes old generations and the stored bundles that only they needed, and says what that frees.

import { type GcReport, gcDryRun, gc as hostGc } from "#host/gc.ts";
import { withLock } from "#host/lock.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { printable } from "../printable.ts";

export async function gc(context: Context, input: { keep: number; dryRun: boolean }): Promise<Output> {
	const host = openContextHost(context);
	const request = { keep: input.keep, onStep: context.onStep };
	const report = input.dryRun
		? gcDryRun(host, request)
		: await withLock(host, "gc", (lock) => hostGc(lock, request));
	return { json: report, text: gcText(report) };
}

function gcText({ dryRun, generations, bundles, leftovers, bytes, warnings }: GcReport): string {
	const would = dryRun ? "would remove" : "removed";
	const lines = [
		...(generations.length === 0 ? [] : [`${would} generations ${generations.join(", ")}`]),
		...bundles.map(({ sha256, name, version }) =>
			name === null ? `${would} bundle ${sha256}` : printable(`${would} bundle ${name} ${version}`),
		),
		...leftovers.map((name) => printable(`${would} ${name}`)),
	];
	const last =
		lines.length === 0 ? "nothing to remove" : `${bytes} bytes ${dryRun ? "would be" : "are"} free`;
	return [...lines, last, ...warnings.map((warning) => printable(`warning: ${warning}`))].join("\n");
}
