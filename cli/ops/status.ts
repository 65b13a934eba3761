// kfn status: what the generation says, what the store holds, what is pinned and what the kernel runs, side by side.

import { formatConfigWords } from "#bundle/config-text.ts";
import { status as hostStatus, type StatusReport } from "#host/status.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { columns } from "../output/columns.ts";
import { recallText } from "../output/recall.ts";
import { trustText } from "../output/trust.ts";

export async function status(context: Context): Promise<Output> {
	const document = await hostStatus(openContextHost(context));
	const rows = document.functions.map((f) => [
		`${f.function}/${f.abi}`,
		f.scope,
		`${f.bundle} ${f.version}`,
		runningText(f),
		`verified: ${f.verified}`,
		f.tag,
		// Where nobody knows the defaults, every value is worth showing.
		formatConfigWords(f.set ?? f.config).join(" "),
	]);
	// Without signatures for the kernel, nobody expects it to have checked any.
	const unchecked = document.functions
		.filter((f) => f.kernelSigned && f.verified === "loader")
		.map((f) => `${f.function} in ${f.scope} is not verified by the kernel: ${f.verifiedReason}`);
	const drift = document.drift.map((d) => `${d.message}\n  hint: ${d.hint}`);
	const unseen =
		document.unseen === null ? [] : [`cannot look: ${document.unseen.message} [${document.unseen.code}]`];
	const recall = document.recall.state === "none" ? [] : [recallText(document.recall)];
	const head = `generation ${document.generation}, ${document.health}${markText(document)}`;
	const table = rows.length === 0 ? ["nothing is installed"] : [columns(rows)];
	return {
		json: document,
		text: [head, ...table, ...unchecked, ...unseen, ...drift, trustText(document.trust), ...recall].join(
			"\n",
		),
	};
}

function runningText({ scope, running }: StatusReport["functions"][number]): string {
	if (scope === "none") return "not attached: the kernel has no hook for it";
	return running === null ? "unknown" : running ? "running" : "NOT RUNNING";
}

/** Only what asks for attention: a generation that is marked bad, or that a boot would not fall back to. */
function markText({ generation, good, mark }: StatusReport): string {
	if (mark?.state === "bad")
		return `\nmarked bad by the ${mark.by}: ${mark.reason}; last good: ${good === 0 ? "none" : good}`;
	if (generation === 0 || good === generation) return "";
	return `\nnot marked good; last good: ${good === 0 ? "none" : good}`;
}
