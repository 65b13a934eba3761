// kfn history: the generations of this host, newest first, each with its reason and what it changed.

import { type HistoryEntry, history as hostHistory } from "#host/history.ts";
import type { Output } from "../command.ts";
import type { Context } from "../context.ts";
import { openContextHost } from "../open-host.ts";
import { functionChangeLine } from "../output/function-change.ts";
import { oneLine } from "../printable.ts";

export async function history(context: Context): Promise<Output> {
	const document = hostHistory(openContextHost(context));
	const lines = document.generations.flatMap(entryLines);
	return { json: document, text: lines.length === 0 ? "nothing was ever installed here" : lines.join("\n") };
}

function entryLines(entry: HistoryEntry): string[] {
	const { generation, created, reason, current, good, mark, changes } = entry;
	const marks = [...(current ? ["current"] : []), ...(good ? ["last good"] : []), mark ?? "not marked"];
	const head = `generation ${generation} (${marks.filter((word) => !(good && word === "good")).join(", ")})`;
	if (created === null || reason === null) return [`${head}  its plan cannot be read`];
	const what = changes === null ? ["what it changed is not known"] : changes.map(functionChangeLine);
	return [`${head}  ${created}  ${oneLine(reason)}`, ...what.map((line) => `  ${line}`)];
}
