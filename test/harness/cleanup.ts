// Undoes what a test process made (namespaces, mounts, children), also when it exits early or is interrupted. Refuses to undo anything that this process did not register.

interface Registered {
	readonly what: string;
	readonly undo: () => void;
}

const registered = new Map<symbol, Registered>();
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
let installed = false;

/** A registered undo: `release` forgets it (the caller undid it by other means), `run` performs it at most once. */
export interface Undo {
	run(): void;
	release(): void;
}

/**
 * Registers a synchronous undo that runs at process exit or on SIGINT, SIGTERM and SIGHUP, last registered first.
 *
 * `undo` must be synchronous (exit handlers are) and must tolerate that its object is already gone. A throwing undo is
 * reported on stderr when it runs from an exit handler and thrown when it runs through `run`.
 */
export function registerUndo(what: string, undo: () => void): Undo {
	install();
	const key = Symbol(what);
	registered.set(key, { what, undo });
	return {
		run(): void {
			if (registered.delete(key)) undo();
		},
		release(): void {
			registered.delete(key);
		},
	};
}

/** Runs every registered undo, last first; one that fails is reported on stderr and does not stop the others. */
function undoAll(): void {
	for (const [key, entry] of [...registered].reverse()) {
		registered.delete(key);
		try {
			entry.undo();
		} catch (error) {
			process.stderr.write(`cleanup of ${entry.what} failed: ${String(error)}\n`);
		}
	}
}

/** Says whether a process with this id exists (also when it is not ours to signal). */
export function processExists(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "EPERM";
	}
}

function install(): void {
	if (installed) return;
	installed = true;
	process.on("exit", undoAll);
	for (const signal of SIGNALS) process.once(signal, () => onSignal(signal));
}

function onSignal(signal: NodeJS.Signals): void {
	undoAll();
	// `once` has removed this listener: raising the signal again gives the process the end it would have had.
	process.kill(process.pid, signal);
}
