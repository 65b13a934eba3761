// The one port through which the client reads a registry. Trust metadata (lock 2) sits behind it (trusted-source.ts), so
// that no op ever knows whether its bytes came from a registry, a mirror or a disk. Refuses nothing by itself.

import type { IndexDocument } from "#registry/api/wire.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";

export interface Source {
	/** Where it reads from, for messages; no credentials in it. */
	readonly description: string;
	/** The versions of one bundle name, newest first. */
	index(name: string): Promise<IndexDocument>;
	/** The rollback permits that the index of a name lists; for a host to judge, but none that the registry's own map voids. */
	permits(name: string): Promise<readonly DsseEnvelope[]>;
	/** The bytes whose sha256 is `digest`, exactly `size` of them; anything else is an error, never a result. */
	blob(digest: string, size: number): Promise<Uint8Array>;
}
