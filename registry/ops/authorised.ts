// Decides whether the signatures of a bundle or a statement are those that the current authorisation map asks for. Refuses to
// fall back on anything when the map has no entry for the name: then nobody may publish it.
import type { Bundle } from "#bundle/bundle.ts";
import { SigningError } from "#signing/errors.ts";
import { type Publishers, parsePublishers, publisherFor } from "#signing/publishers.ts";
import { PUBLISHERS_TARGET } from "#signing/tuf/next-targets.ts";
import { verifyManifest } from "#signing/verify.ts";
import { RegistryError } from "../api/errors.ts";
import type { MetadataReads } from "../ports/metadata-store.ts";
import type { Authorities, OpenedStatement } from "../statements/kind.ts";
import type { RegistryContext } from "./registry-context.ts";

declare const proved: unique symbol;

/** Proof that a publication was signed as this map asks for; made only in this module. */
export interface AuthorisedBy {
	readonly mapSha256: string;
	readonly [proved]: true;
}

// The digest says everything about the content, so a map is read once: telling a key from a weak one takes a millisecond each.
let lastMap: { sha256: string; map: Publishers } | undefined;

/**
 * Verifies the signatures over the manifest against the map's entry for its name.
 * REGISTRY_UNAUTHORISED with the SIGNATURE_ or PUBLISHERS_ code in `details.signatureCode`.
 */
export async function authoriseBundle(
	registry: RegistryContext,
	{ manifest, manifestBytes, signatureBytes }: Bundle,
): Promise<AuthorisedBy> {
	const { authorised } = await authorise(registry, manifest.name, (map) =>
		verifyManifest(manifestBytes, signatureBytes, publisherFor(map, manifest.name)),
	);
	return authorised;
}

/** Opens a statement about the name. Errors as {@link authoriseBundle}; codes of the statement's kind come out as they are. */
export async function authoriseStatement(
	registry: RegistryContext,
	name: string,
	open: (authorities: Authorities) => Promise<OpenedStatement>,
): Promise<{ opened: OpenedStatement; authorised: AuthorisedBy }> {
	const { value, authorised } = await authorise(registry, name, (publishers) => open({ publishers }));
	return { opened: value, authorised };
}

async function authorise<T>(
	registry: RegistryContext,
	name: string,
	verify: (map: Publishers) => Promise<T>,
): Promise<{ value: T; authorised: AuthorisedBy }> {
	const { sha256, map } = await registry.metadata.read(currentMap);
	try {
		return { value: await verify(map), authorised: { mapSha256: sha256 } as AuthorisedBy };
	} catch (error) {
		if (!(error instanceof SigningError) || !/^(?:SIGNATURE|PUBLISHERS)_/.test(error.code)) throw error;
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
	const { sha256 } = await currentMap(reads);
	if (sha256 === proof.mapSha256) return;
	throw new RegistryError("REGISTRY_BUSY", "the authorisation map was changed at the same moment", {
		hint: "try again",
	});
}

async function currentMap(reads: MetadataReads): Promise<{ sha256: string; map: Publishers }> {
	const document = await reads.currentDocument(PUBLISHERS_TARGET);
	if (document === undefined) throw new Error("the registry has no authorisation map");
	const { sha256, bytes } = document;
	if (lastMap?.sha256 !== sha256) lastMap = { sha256, map: parsePublishers(bytes) };
	return lastMap;
}
