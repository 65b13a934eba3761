// Decides whether the signatures of a bundle or a statement are those that the current maps of publishers and vendors ask for.
// Refuses to fall back on anything when they have no entry for the name: then nobody may publish it.
import type { Bundle } from "#bundle/bundle.ts";
import { SigningError } from "#signing/errors.ts";
import { parsePublishers, publisherFor } from "#signing/publishers.ts";
import { PUBLISHERS_TARGET, VENDORS_TARGET } from "#signing/tuf/next-targets.ts";
import { parseVendors } from "#signing/vendors.ts";
import { verifyManifest } from "#signing/verify.ts";
import { RegistryError } from "../api/errors.ts";
import type { MetadataReads } from "../ports/metadata-store.ts";
import type { Authorities, OpenedStatement } from "../statements/kind.ts";
import type { RegistryContext } from "./registry-context.ts";

declare const proved: unique symbol;

/** Proof that a publication was signed as these maps ask for; made only in this module. */
export interface AuthorisedBy {
	/** Of both maps. */
	readonly digests: string;
	readonly [proved]: true;
}

// The digests say everything about the content, so maps are read once: telling a key from a weak one takes a millisecond each.
let last: { digests: string; authorities: Authorities } | undefined;

/**
 * Verifies the signatures over the manifest against the map's entry for its name.
 * REGISTRY_UNAUTHORISED with the SIGNATURE_ or PUBLISHERS_ code in `details.signatureCode`.
 */
export async function authoriseBundle(
	registry: RegistryContext,
	{ manifest, manifestBytes, signatureBytes }: Bundle,
): Promise<AuthorisedBy> {
	const { authorised } = await authorise(registry, manifest.name, ({ publishers }) =>
		verifyManifest(manifestBytes, signatureBytes, publisherFor(publishers, manifest.name)),
	);
	return authorised;
}

/** Opens a statement about the name. Errors as {@link authoriseBundle}; codes of the statement's kind come out as they are. */
export async function authoriseStatement(
	registry: RegistryContext,
	name: string,
	open: (authorities: Authorities) => Promise<OpenedStatement>,
): Promise<{ opened: OpenedStatement; authorised: AuthorisedBy }> {
	const { value, authorised } = await authorise(registry, name, open);
	return { opened: value, authorised };
}

async function authorise<T>(
	registry: RegistryContext,
	name: string,
	verify: (authorities: Authorities) => Promise<T>,
): Promise<{ value: T; authorised: AuthorisedBy }> {
	const { digests, authorities } = await registry.metadata.read(currentMaps);
	try {
		return { value: await verify(authorities), authorised: { digests } as AuthorisedBy };
	} catch (error) {
		if (!(error instanceof SigningError) || !/^(?:SIGNATURE|PUBLISHERS|VENDORS)_/.test(error.code))
			throw error;
		throw new RegistryError(
			"REGISTRY_UNAUTHORISED",
			`${error.message}, by this registry's authorisation map`,
			{
				hint: `sign ${name} with the keys that the map lists for it, or ask the registry's admin to list yours`,
				details: { ...error.details, signatureCode: error.code },
				cause: error,
			},
		);
	}
}

/** Asks again inside the transaction that publishes: a map that changed while the upload was examined must not be outrun. */
export async function stillAuthorised(reads: MetadataReads, proof: AuthorisedBy): Promise<void> {
	const { digests } = await currentMaps(reads);
	if (digests === proof.digests) return;
	throw new RegistryError("REGISTRY_BUSY", "the authorisation map was changed at the same moment", {
		hint: "try again",
	});
}

async function currentMaps(reads: MetadataReads): Promise<{ digests: string; authorities: Authorities }> {
	const publishers = await reads.currentDocument(PUBLISHERS_TARGET);
	if (publishers === undefined) throw new Error("the registry has no authorisation map");
	const vendors = await reads.currentDocument(VENDORS_TARGET);
	const digests = `${publishers.sha256} ${vendors?.sha256 ?? ""}`;
	if (last?.digests !== digests) {
		const authorities = {
			publishers: parsePublishers(publishers.bytes),
			vendors: vendors === undefined ? { vendors: [] } : parseVendors(vendors.bytes),
		};
		last = { digests, authorities };
	}
	return last;
}
