// How a change of the host is told to a human.

import type { Counters } from "#host/health.ts";
import type { HealthReport } from "#host/health-window.ts";
import type { ChangedFunction, ChangeReport } from "#host/report.ts";
import type { Output } from "../command.ts";
import { columns } from "./columns.ts";

const STEPS: Readonly<Record<ChangedFunction["step"], string>> = {
	attach: "attached",
	replace: "swapped",
	keep: "kept",
	none: "proved, and not attached: the kernel has no hook for it, and its own code goes on",
	absent: "not attached: its place is gone",
	unmatched: "nothing is there now that it describes",
	refused: "not loaded",
};

export function changeOutput(report: ChangeReport): Output {
	return { json: report, text: changeText(report) };
}

function changeText(report: ChangeReport): string {
	const lines: string[] = [];
	if (report.recovered) lines.push("an interrupted change was found and undone first");
	lines.push(
		report.changed
			? `generation ${report.previous} → ${report.generation}: ${report.reason}`
			: `nothing to change: generation ${report.generation} stands`,
	);
	const changed = report.functions.filter(({ step }) => report.changed || step !== "keep");
	if (changed.length > 0) lines.push(columns(changed.map(functionRow)));
	for (const gone of report.detached) {
		lines.push(
			`detached ${gone.bundle ?? gone.function} ${gone.version ?? ""} from ${gone.scope}`.replace("  ", " "),
		);
	}
	if (report.purged) lines.push("its files and its history are gone");
	if (report.health !== null) lines.push(...healthLines(report.health));
	for (const warning of report.warnings) lines.push(`warning: ${warning}`);
	return lines.join("\n");
}

function functionRow(f: ChangedFunction): string[] {
	const version = f.from === null || f.from === f.version ? f.version : `${f.from} → ${f.version}`;
	const took = f.nanoseconds === null ? "" : ` in ${(f.nanoseconds / 1000).toFixed(1)} µs`;
	return [
		`  ${f.function}/${f.abi}`,
		f.scope,
		`${f.bundle} ${version}`,
		`${STEPS[f.step]}${took}`,
		f.verified === null ? "" : `verified: ${f.verified}, ${f.vectors} vectors`,
	];
}

function healthLines({ seconds, check, counters }: HealthReport): string[] {
	const passed = check === null ? [] : [`health check passed: ${check.join(" ")}`];
	const first = new Map<string, { counter: Counters; others: number }>();
	for (const counter of counters) {
		// Scopes that share a program are counted together: one line for them.
		const { scope: _, ...counted } = counter;
		const key = JSON.stringify(counted);
		const seen = first.get(key);
		first.set(key, { counter: seen?.counter ?? counter, others: seen === undefined ? 0 : seen.others + 1 });
	}
	return [
		...[...first.values()].map(({ counter, others }) => watchedLine(counter, others, seconds)),
		...passed,
	];
}

function watchedLine(
	{ function: name, scope, runs, verdicts, reason }: Counters,
	others: number,
	seconds: number,
): string {
	const where = others === 0 ? scope : `${scope} and ${others} more`;
	const ran = runs === null ? "" : `${runs} runs, `;
	const answers =
		verdicts === null
			? `answers not counted (${reason})`
			: `${verdicts.ok} used, ${verdicts.drop} errors, ${verdicts.continue} left to the kernel`;
	return `watched ${name} in ${where} for ${seconds} s: ${ran}${answers}`;
}
