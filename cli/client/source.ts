// The one port through which the client reads a registry. Trust metadata (lock 2) sits behind it (trusted-source.ts), so
// that no op ever knows whether its bytes came from a registry, a mirror or a disk. Refuses nothing by itself.

import type { IndexDocument } from "#registry/api/wire.ts";
import type { DsseEnvelope } from "#signing/envelope.ts";
import type { StatementForm } from "./statements-document.ts";

export interface Source {
	/** Where it reads from, for messages; no credentials in it. */
	readonly description: string;
	/** The versions of one bundle name, newest first. */
	index(name: string): Promise<IndexDocument>;
	/**
	 * What the registry lists of one kind of statement about a name; none where it lists nothing. For a host to judge: the
	 * registry can leave some out, or show older ones.
	 */
	statements(name: string, form: StatementForm): Promise<readonly DsseEnvelope[]>;
	/** The bytes whose sha256 is `digest`, exactly `size` of them; anything else is an error, never a result. */
	blob(digest: string, size: number): Promise<Uint8Array>;
}
