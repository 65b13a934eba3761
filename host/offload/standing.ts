// The port through which offload asks what is known against a tag: revocations and advisories, from this host's own state.
// Refuses to reach a network: a verdict must be given at boot, too.

export interface Standing {
	/** The revocation that names the tag, or undefined. */
	revoked(tag: string): { readonly id: string; readonly reason: string } | undefined;
	/** Ids of the advisories that a version is affected by, known so far. */
	advisories(name: string, version: string, tag: string): readonly string[];
}

/** Of a host that has seen neither revocations nor advisories. */
export const NOTHING_KNOWN: Standing = { revoked: () => undefined, advisories: () => [] };
