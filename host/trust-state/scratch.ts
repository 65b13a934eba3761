// Names of the folders in which tuf-js works, below var/lib/kfn/tmp. Refuses to let a sweep take the one of a walk under way:
// a walk holds no lock, for it waits for the network.
import { join } from "node:path";
import { codeOf } from "../errors.ts";
import type { Host } from "../host.ts";

let count = 0;

/** A path of a folder that nobody has; it is made and removed by the walk. */
export function scratchPath(host: Host): string {
	return join(host.layout.tmp, `trust-${process.pid}-${++count}`);
}

/** Whether a name in tmp/ is the scratch of a process that still runs. */
export function isLiveScratch(name: string): boolean {
	const [, pid] = /^trust-([1-9]\d{0,8})-\d+$/.exec(name) ?? [];
	if (pid === undefined) return false;
	try {
		process.kill(Number(pid), 0);
		return true;
	} catch (error) {
		return codeOf(error) === "EPERM";
	}
}
