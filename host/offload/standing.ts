// The port through which offload asks what is known against a tag: revocations and advisories, from this host's own state.
// Refuses to reach a network: a verdict must be given at boot, too.

export interface Standing {
	/**
	 * The revocation that names the tag, or undefined. With `name`, only what that bundle's publisher revoked, as for what the kernel
	 * runs; without, what anybody who is trusted here revoked.
	 */
	revoked(tag: string, name?: string): { readonly id: string; readonly reason: string } | undefined;
	/** Ids of the advisories that a version is affected by, known so far. */
	advisories(name: string, version: string, tag: string): readonly string[];
}
