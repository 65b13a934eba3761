// The note that a change is under way: from it, the next command knows that the kernel may be between two generations.
// Refuses to say how far the change came: recovery looks at what is there instead.
import type { Host } from "./host.ts";
import type { HostLock } from "./lock.ts";
import { time } from "./plan.ts";
import { count, exact, oneOf, text } from "./shape.ts";
import { readJson } from "./state-file.ts";

const journalShape = exact({
	schema: oneOf("kfn.journal/1"),
	from: count,
	to: count,
	command: text,
	pid: count,
	at: time,
});

export type Journal = Readonly<ReturnType<typeof journalShape>>;

/** The change under way, or undefined. */
export function readJournal(host: Host): Journal | undefined {
	return readJson(host.layout.journal, journalShape);
}

export function writeJournal(lock: HostLock, change: { from: number; to: number }): void {
	const { durable, layout, now } = lock.host;
	const journal: Journal = {
		schema: "kfn.journal/1",
		from: change.from,
		to: change.to,
		command: lock.command,
		pid: process.pid,
		at: now().toISOString(),
	};
	durable.writeFile(layout.journal, `${JSON.stringify(journal, null, 2)}\n`);
}

export function dropJournal(lock: HostLock): void {
	lock.host.durable.removeFile(lock.host.layout.journal);
}
