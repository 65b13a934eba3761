// How a difference between two generations is told to a human: one line for each function.

import { formatConfigWords } from "#bundle/config-text.ts";
import type { FunctionChange, ParameterChange, ProvidedBy } from "#host/plan-changes.ts";
import { printable } from "../printable.ts";

/** `+ flow-dissector 1.0.0 in SCOPE`, `- …`, or `flow-dissector 1.0.0 → 1.0.1, ports=1 → ports=2 in SCOPE`. */
export function functionChangeLine(change: FunctionChange): string {
	const { from, to, parameters, scope } = change;
	if (from === null || to === null) {
		const sign = from === null ? "+" : "-";
		return printable(`${sign} ${named((to ?? from)!)} in ${scope}`);
	}
	const words = [versionWord(from, to), ...parameters.map(parameterWord)];
	return printable(`~ ${words.join(", ")} in ${scope}`);
}

function versionWord(from: ProvidedBy, to: ProvidedBy): string {
	if (from.sha256 === to.sha256) return named(from);
	if (from.bundle !== to.bundle) return `${named(from)} → ${named(to)}`;
	if (from.version === to.version) return `${named(from)} → other bytes of the same version`;
	return `${named(from)} → ${to.version}`;
}

function parameterWord({ name, from, to }: ParameterChange): string {
	if (to === null) return `${name} is gone`;
	const [after] = formatConfigWords({ [name]: to });
	return from === null
		? after!
		: `${formatConfigWords({ [name]: from })[0]} → ${after!.slice(name.length + 1)}`;
}

function named({ bundle, version }: ProvidedBy): string {
	return `${bundle} ${version}`;
}
