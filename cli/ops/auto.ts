// kfn auto enable, disable, status: whether, how and when this host changes itself. Refuses to start a timer: that is systemd's.

import { disableAuto, enableAuto, isTimerLinked } from "#host/auto/enable.ts";
import { type AutoMode, type AutoSettings, readAuto } from "#host/auto/settings.ts";
import {
	isOpen,
	nextOpening,
	parseWindow,
	SHORTEST_MINUTES,
	type Window,
	windowText,
} from "#host/auto/window.ts";
import { withLock } from "#host/lock.ts";
import { readLog } from "#host/log.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../errors.ts";
import { openContextHost } from "../open-host.ts";
import { oneLine } from "../printable.ts";

const RUNS_SHOWN = 10;

export async function autoEnable(
	context: Context,
	input: { mode: AutoMode; windows: readonly string[]; phaseHours: number; parameters: boolean },
): Promise<Output> {
	const settings: AutoSettings = { ...input, windows: input.windows.map(windowOf) };
	const report = await withLock(openContextHost(context), "auto enable", (lock) =>
		enableAuto(lock, settings),
	);
	const hints = report.timer
		? ["it begins at the next boot; systemctl start kfn-auto.timer begins now"]
		: ["no package has brought kfn-auto.timer here: let a scheduler of your own run kfn auto run"];
	const head = report.changed ? "this host upgrades itself from now on" : "already enabled";
	const lines = [`${head}: ${settingsText(settings)}`, ...hints.map((hint) => `hint: ${hint}`)];
	return { json: { ...report, ...settingsDocument(settings), hints }, text: lines.join("\n") };
}

export async function autoDisable(context: Context): Promise<Output> {
	const report = await withLock(openContextHost(context), "auto disable", disableAuto);
	const text = report.changed
		? "nothing is upgraded unattended any more\nhint: systemctl stop kfn-auto.timer ends the timer of this boot, which does nothing now"
		: "not enabled";
	return { json: report, text };
}

export async function autoStatus(context: Context): Promise<Output> {
	const host = openContextHost(context);
	const settings = readAuto(host);
	const now = host.now();
	const runs = readLog(host)
		.filter(({ event }) => event === "auto")
		.slice(-RUNS_SHOWN)
		.map(({ at, reason = "", done = [], left = [] }) => ({ at, mode: reason, done, left }))
		.reverse();
	const document = {
		enabled: settings !== undefined,
		...settingsDocument(settings),
		timer: isTimerLinked(host),
		open: settings !== undefined && isOpen(settings.windows, now),
		opens: settings === undefined ? null : nextOpening(settings.windows, now).toISOString(),
		runs,
	};
	return { json: document, text: [...statusLines(document, settings), ...runs.flatMap(runLines)].join("\n") };
}

function settingsDocument(settings: AutoSettings | undefined) {
	const { mode = null, windows = [], phaseHours = 0, parameters = false } = settings ?? {};
	return { mode, windows: windows.map(windowText), phaseHours, parameters };
}

function settingsText({ mode, windows, phaseHours, parameters }: AutoSettings): string {
	const when = windows.length === 0 ? "at any time" : windows.map(windowText).join(", or ");
	const spread = phaseHours === 0 ? "" : `, each release spread over ${phaseHours} h`;
	return `mode ${mode}${parameters ? ", parameters too" : ""}, ${when}${spread}`;
}

function statusLines(
	{ timer, open, opens }: { timer: boolean; open: boolean; opens: string | null },
	settings: AutoSettings | undefined,
): string[] {
	if (settings === undefined) return ["not enabled\n  hint: kfn auto enable --mode security, or all"];
	return [
		`enabled: ${settingsText(settings)}`,
		open ? "may change something now" : `waits for its window, which opens at ${opens}`,
		...(timer ? [] : ["no timer of kfn's runs it"]),
	];
}

function runLines({
	at,
	done,
	left,
}: {
	at: string;
	done: readonly string[];
	left: readonly string[];
}): string[] {
	const lines = [...done.map((line) => `did: ${line}`), ...left.map((line) => `left: ${line}`)];
	return [
		at,
		...(lines.length === 0 ? ["nothing was to be done"] : lines).map((line) => `  ${oneLine(line)}`),
	];
}

/** As typed, or in the time zone of this machine. */
function windowOf(typed: string): Window {
	const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
	const found = parseWindow(typed, timeZone);
	if (found !== undefined) return found;
	throw new CliError("CLI_USAGE", `"${typed}" is not a window of ${SHORTEST_MINUTES} minutes or more`, {
		hint: "for example 02:00-04:00, 'Mon-Fri 22:00-05:00', 'Sat,Sun 00:00-24:00 Europe/Berlin'",
	});
}
