// One server per data folder, and one at a time that changes its drafts: locks that the kernel drops when their process dies,
// kill -9 included.
// Refuses to wait: whoever comes second is told so.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RegistryError } from "./api/errors.ts";

/** Proof that this process is the only one that holds the lock. */
export interface ServeLock {
	release(): void;
}

// An unreachable DatabaseSync is closed by the garbage collector, and its lock with it, while the server goes on.
const held = new Set<DatabaseSync>();

/** An exclusive transaction on an SQLite file of its own: node has no flock. REGISTRY_DATA_IN_USE. */
export function takeServeLock(dataDir: string): ServeLock {
	return takeLock(join(dataDir, "serve.lock"), (cause) => {
		return new RegistryError("REGISTRY_DATA_IN_USE", "another server already serves this data folder", {
			hint: "stop it first, or give this one another folder",
			cause,
		});
	});
}

/** Held while drafts of root and targets are made, merged or taken live. REGISTRY_DRAFT_BUSY. */
export function takeDraftLock(dataDir: string): ServeLock {
	return takeLock(join(dataDir, "draft.lock"), (cause) => {
		return new RegistryError("REGISTRY_DRAFT_BUSY", "another command works on this registry's drafts", {
			hint: "wait until it has ended, then run this one again",
			cause,
		});
	});
}

function takeLock(file: string, refusal: (cause: unknown) => RegistryError): ServeLock {
	const database = new DatabaseSync(file, { timeout: 0 });
	try {
		database.exec("begin exclusive");
	} catch (cause) {
		database.close();
		throw refusal(cause);
	}
	held.add(database);
	return {
		release: () => {
			if (held.delete(database)) database.close();
		},
	};
}
