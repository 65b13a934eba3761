// The lock of a recall, var/lib/kfn/recall/lock: what is revoked can be written down while another command changes the host, which
// then sees it before it commits. Refuses to wait, as the host's lock does.
import { closeSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../host.ts";
import { acquire } from "../lock.ts";

declare const held: unique symbol;

/** The held lock; made only by {@link withRecallLock}. It lets nobody change what runs. */
export interface RecallLock {
	readonly host: Host;
	readonly [held]: true;
}

/** Runs `body` while no other recall writes; HOST_LOCKED where one does. */
export async function withRecallLock<T>(host: Host, body: (lock: RecallLock) => Promise<T> | T): Promise<T> {
	host.durable.makeFolder(host.layout.recall);
	const fd = await acquire(host, join(host.layout.recall, "lock"));
	try {
		return await body({ host } as RecallLock);
	} finally {
		closeSync(fd);
	}
}
