// kfn doctor: what is well with this host, what is not and what to do about it, and what could not be told.

import { doctor as hostDoctor } from "#host/doctor.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { oneLine } from "../printable.ts";

const WORDS = { ok: "ok", problem: "PROBLEM", unknown: "unknown" } as const;

export async function doctor(context: Context): Promise<Output> {
	const report = await hostDoctor(openContextHost(context));
	const lines = report.checks.flatMap(({ check, state, message, hint }) => [
		`${WORDS[state].padEnd(7)}  ${check.padEnd(11)}  ${oneLine(message)}`,
		...(hint === null ? [] : [`  hint: ${oneLine(hint)}`]),
	]);
	return { json: report, text: lines.join("\n"), exit: report.ok ? 0 : 1 };
}
