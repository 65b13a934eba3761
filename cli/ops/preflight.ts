// kfn preflight: what a change would meet on this host, without the change.

import { openBundle } from "#bundle/bundle.ts";
import { parseConfigWords } from "#bundle/config-text.ts";
import { withLock } from "#host/lock.ts";
import {
	type Found,
	type PreflightFunction,
	type PreflightReport,
	preflight as preflightHost,
} from "#host/preflight.ts";
import { fetchBundle } from "../client/fetch-bundle.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";

export async function preflight(
	context: Context,
	input: {
		request: string | undefined;
		scope: string | undefined;
		registry: string | undefined;
		set: readonly string[];
	},
): Promise<Output> {
	const { request, scope, registry, set } = input;
	const archive = request && (await fetchBundle(context, request, registry)).archive;
	const bundle = archive || undefined;
	// Unverified, good for reading words only; host/ verifies and checks values.
	const declared = bundle === undefined || set.length === 0 ? undefined : (await openBundle(bundle)).manifest;
	const config = declared === undefined ? {} : parseConfigWords(declared.config, set);
	const { onStep } = context;
	const { exit, ...report } = await withLock(openContextHost(context), "preflight", (lock) =>
		preflightHost(lock, { bundle, scope, config, onStep }),
	);
	return { json: report, text: preflightText(report), exit: report.ready ? 0 : exit || 1 };
}

const WORDS = { yes: "yes", no: "no", unknown: "could not tell" } as const;

function preflightText(report: Omit<PreflightReport, "exit">): string {
	const kernel = [
		...Object.entries(report.features),
		["bpffs", report.bpffs] as const,
		["kernel checks signatures", report.kernelSignatures] as const,
	];
	return [
		`kernel ${report.kernel}`,
		columns(kernel.map(([name, found]) => row(name, found))),
		...report.functions.flatMap(functionLines),
		report.ready ? "ready" : "not ready",
	].join("\n");
}

function row(name: string, { have, reason }: Found): string[] {
	return [`  ${name}`, WORDS[have], reason ?? ""];
}

function functionLines(entry: PreflightFunction): string[] {
	const { bundle, scope, loads, hook, error } = entry;
	return [
		`${bundle.name} ${bundle.version} in ${scope}`,
		columns([row("loads, every vector right", loads), row("hook", hook)]),
		...(error === null ? [] : [`  ${error.code}${error.hint === null ? "" : `: ${error.hint}`}`]),
	];
}
