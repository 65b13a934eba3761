// One server per data folder: a lock that the kernel drops when its process dies, kill -9 included.
// Refuses to wait: whoever comes second is told so.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RegistryError } from "./api/errors.ts";

/** Proof that this process is the folder's only server. */
export interface ServeLock {
	release(): void;
}

// An unreachable DatabaseSync is closed by the garbage collector, and its lock with it, while the server goes on.
const held = new Set<DatabaseSync>();

/** An exclusive transaction on an SQLite file of its own: node has no flock. REGISTRY_DATA_IN_USE. */
export function takeServeLock(dataDir: string): ServeLock {
	const database = new DatabaseSync(join(dataDir, "serve.lock"), { timeout: 0 });
	try {
		database.exec("begin exclusive");
	} catch (cause) {
		database.close();
		throw new RegistryError("REGISTRY_DATA_IN_USE", "another server already serves this data folder", {
			hint: "stop it first, or give this one another folder",
			cause,
		});
	}
	held.add(database);
	return {
		release: () => {
			if (held.delete(database)) database.close();
		},
	};
}
