// The host's own record of what was changed, one JSON object per line. Refuses to be a source of truth: nothing reads it to decide what to change.
import type { Host } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { time } from "./plan.ts";
import { count, listOf, oneOf, open, text } from "./shape.ts";
import { readIfThere } from "./state-file.ts";

const entryShape = open(
	{
		at: time,
		event: oneOf("changed", "failed", "recovered", "auto", "offload"),
		command: text,
		from: count,
		to: count,
	},
	{
		reason: text,
		code: text,
		message: text,
		functions: listOf(open({ function: text, scope: text, step: text })),
		/** Of an unattended run: what it did, and what it did not and why, a line each. */
		done: listOf(text),
		left: listOf(text),
	},
);

/** One line of log.jsonl (docs/formats/host-state.md). */
export type LogEntry = Readonly<ReturnType<typeof entryShape>>;

/** Appends one event; durable when it returns. */
export function appendLog(lock: HostLock, entry: Omit<LogEntry, "at" | "command">): void {
	const { durable, layout, now } = lock.host;
	durable.appendLine(
		layout.log,
		JSON.stringify({ at: now().toISOString(), command: lock.command, ...entry } satisfies LogEntry),
	);
}

/** Appends one event about something that is already done: a failure is returned as a warning, never thrown. */
export function tryLog(lock: HostLock, entry: Omit<LogEntry, "at" | "command">): string[] {
	try {
		appendLog(lock, entry);
		return [];
	} catch (error) {
		return [`the log has no entry of this: ${(error as Error).message}`];
	}
}

/** All whole lines, oldest first; a line that a power cut tore is left out. */
export function readLog(host: Host): LogEntry[] {
	const lines = (readIfThere(host.layout.log) ?? Buffer.alloc(0)).toString("utf8").split("\n");
	return lines.flatMap((line) => {
		try {
			return [entryShape(JSON.parse(line), "")];
		} catch {
			return [];
		}
	});
}
