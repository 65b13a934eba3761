// kfn apply: a desired state from a file, in one change. What fits stays; only what does not is fetched, each version once.

import { applyState, type DryRunReport, dryRun, type PlannedFunction } from "#host/apply.ts";
import { type DesiredEntry, type Offered, rangeToFetch } from "#host/apply-plan.ts";
import { type DesiredFunction, forEntry, parseDesiredState } from "#host/desired-state.ts";
import { readCurrentPlan } from "#host/generations.ts";
import type { Host } from "#host/host.ts";
import { withLock } from "#host/lock.ts";
import { fetchVersion } from "../client/fetch-bundle.ts";
import type { Source } from "../client/source.ts";
import { openTrustedSource } from "../client/trusted-source.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { readInput } from "../files.ts";
import { openContextHost } from "../open-host.ts";
import { changeOutput } from "../output/change.ts";
import { columns } from "../output/columns.ts";
import { readPermit } from "./permit.ts";

export async function apply(
	context: Context,
	input: {
		file: string;
		dryRun: boolean;
		registry: string | undefined;
		/** File of a rollback permit, for an entry that goes to a lower version. */
		permit: string | undefined;
	},
): Promise<Output> {
	const { functions } = parseDesiredState(await readInput(input.file), input.file);
	const host = openContextHost(context);
	const named = input.permit === undefined ? undefined : await readPermit(input.permit);
	const offers = await fetchAll(context, host, functions, input.registry);
	const entries = offers.map((entry) =>
		entry.offered === undefined || named === undefined
			? entry
			: { ...entry, offered: { ...entry.offered, permits: { ...entry.offered.permits, named } } },
	);
	const request = { entries, onStep: context.onStep };
	if (input.dryRun) return dryRunOutput(await dryRun(host, request));
	return changeOutput(await withLock(host, "apply", (lock) => applyState(lock, request)));
}

/** Entries with what must come for them; the registry is asked only where something must. */
async function fetchAll(
	context: Context,
	host: Host,
	functions: readonly DesiredFunction[],
	registry: string | undefined,
): Promise<DesiredEntry[]> {
	const current = readCurrentPlan(host);
	const fetched = new Map<string, Promise<Offered>>();
	let source: Promise<Source> | undefined;
	const fetch = async (request: string): Promise<Offered> => {
		source ??= openTrustedSource(context, registry);
		const { archive, permits, raisesFloor } = await fetchVersion(context, await source, request);
		return { archive, permits, raisesFloor };
	};
	const entries: DesiredEntry[] = [];
	for (const [i, entry] of functions.entries()) {
		const offered = await forEntry(i, entry, async () => {
			const range = rangeToFetch(host, current, entry);
			if (range === undefined) return undefined;
			const request = `${entry.bundle}@${range}`;
			const coming = fetched.get(request) ?? fetch(request);
			fetched.set(request, coming);
			return coming;
		});
		entries.push({ ...entry, offered });
	}
	return entries;
}

const STEPS: Readonly<Record<PlannedFunction["step"], string>> = {
	attach: "would be attached",
	replace: "would be swapped",
	keep: "stays as it is",
	detach: "would be detached",
};

function dryRunOutput(report: DryRunReport): Output {
	const { changed, previous, generation, reason, functions, steps, warnings } = report;
	const head = changed
		? `generation ${previous} would become ${generation}: ${reason}`
		: `nothing to change: generation ${generation} stands`;
	const rows = functions.map(functionRow);
	const lines = [
		head,
		...(rows.length === 0 ? [] : [columns(rows)]),
		...(steps.length === 0
			? []
			: ["steps:", columns(steps.map(({ step, detail }) => [`  ${step}`, detail]))]),
		...warnings.map((warning) => `warning: ${warning}`),
	];
	return { json: report, text: lines.join("\n") };
}

function functionRow({ function: name, scope, bundle, version, from, step }: PlannedFunction): string[] {
	const versions = from === null || from === version ? version : `${from} → ${version}`;
	return [`  ${name}`, scope, `${bundle} ${versions}`, STEPS[step]];
}
