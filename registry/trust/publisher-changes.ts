// kfn registry publisher: who may publish which names, changed in the registry's authorisation map. Refuses what would leave a name
// with fewer keys than its threshold; says which published versions a change loses.
import type { SecretKey } from "#signing/ed25519.ts";
import type { PublicKey } from "#signing/public-key.ts";
import type { Publishers } from "#signing/publishers.ts";
import {
	unreachableIn,
	withoutPublisher,
	withPublisher,
	withRevoked,
	withThreshold,
} from "#signing/publishers-change.ts";
import { parseSignatureFile } from "#signing/signature-file.ts";
import { RegistryError } from "../api/errors.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import type { VersionRecord } from "../ports/metadata-store.ts";
import type { Ceremony, PublishersResult } from "./ceremony.ts";
import { openPublished, publishedVersions, publisherOf, refusedBy } from "./lost-versions.ts";

export interface PublisherRequest {
	/** A bundle name, or a prefix with one final `*`: the pattern of an entry. */
	readonly name: string;
	readonly threshold: number | undefined;
}

/** Keys for a name; a new entry stands before the first whose pattern would otherwise decide. */
export function addPublisher(
	ceremony: Ceremony,
	request: PublisherRequest & { readonly keys: readonly PublicKey[] },
	secrets: readonly SecretKey[],
): Promise<PublishersResult> {
	return ceremony.changePublishers(async (map) => reachable(withPublisher(map, request)), secrets);
}

/** A key of a name, or the name with all its keys: what they signed counts no more. REGISTRY_PUBLISHER_UNKNOWN. */
export function removePublisher(
	ceremony: Ceremony,
	request: PublisherRequest & { readonly key: PublicKey | undefined },
	secrets: readonly SecretKey[],
): Promise<PublishersResult> {
	const { name, key, threshold } = request;
	return ceremony.changePublishers(async (map) => {
		const without = withoutPublisher(map, { name, keyid: key?.keyid });
		if (without === undefined) throw unknownPublisher(name, key);
		return reachable(threshold === undefined ? without : withThreshold(without, name, threshold));
	}, secrets);
}

export interface Revocation extends PublisherRequest {
	readonly key: PublicKey;
	/** 1 to 500 printable ASCII characters. */
	readonly reason: string;
	/** Which versions go on: these, or all that are published and count by the live map. */
	readonly keep: readonly { readonly name: string; readonly version: string }[] | "all-published";
}

/**
 * Moves a key of a name to its revoked keys. REGISTRY_PUBLISHER_UNKNOWN; REGISTRY_KEEP_UNKNOWN: a version to keep that is not
 * published, or that the key did not sign; REGISTRY_PUBLISHER_THRESHOLD: too few keys stay.
 */
export function revokePublisher(
	ceremony: Ceremony,
	request: Revocation,
	secrets: readonly SecretKey[],
): Promise<PublishersResult> {
	const { name, key, threshold, reason } = request;
	return ceremony.changePublishers(async (map, registry) => {
		const manifests = await keptManifests(registry, map, request);
		const without = withRevoked(map, { name, keyid: key.keyid, reason, manifests });
		if (without === undefined) throw unknownPublisher(name, key);
		return reachable(threshold === undefined ? without : withThreshold(without, name, threshold));
	}, secrets);
}

/** Of the versions to keep, those that list the key's signature; in order of names. */
async function keptManifests(
	registry: RegistryContext,
	map: Publishers,
	request: Revocation,
): Promise<string[]> {
	const { keep, key } = request;
	const found: string[] = [];
	if (keep === "all-published") {
		for await (const record of publishedVersions(registry, (name) => decides(map, request.name, name))) {
			const counts = (await refusedBy(registry, map, record)) === undefined;
			if (counts && (await signersOf(registry, record)).has(key.keyid)) found.push(record.manifestSha256);
		}
		return found;
	}
	for (const { name, version } of keep) {
		const record = await registry.metadata.read((reads) => reads.findVersion(name, version));
		if (record === undefined) throw cannotKeep(`${name} ${version}`, "is not published here");
		const signed = (await signersOf(registry, record)).has(key.keyid);
		if (!signed) throw cannotKeep(`${name} ${version}`, `is not signed by ${key.keyid}`);
		if (!found.includes(record.manifestSha256)) found.push(record.manifestSha256);
	}
	return found;
}

/** True when the entry with this pattern is the one that decides for the name. */
function decides({ publishers }: Publishers, pattern: string, name: string): boolean {
	const own = publishers.find(({ names }) => names.includes(pattern));
	return own !== undefined && publisherOf({ publishers }, name) === own;
}

async function signersOf(registry: RegistryContext, record: VersionRecord): Promise<Set<string>> {
	const { signatureBytes } = await openPublished(registry, record);
	return new Set(parseSignatureFile(signatureBytes).map(({ keyid }) => keyid));
}

function cannotKeep(version: string, why: string): RegistryError {
	return new RegistryError("REGISTRY_KEEP_UNKNOWN", `${version} cannot be kept: it ${why}`, {
		hint: "--keep names versions that this registry has and the key signed; --keep-all-published keeps them all",
	});
}

function reachable(map: Publishers): Publishers {
	const wrong = unreachableIn(map);
	if (wrong === undefined) return map;
	const { names, threshold, keys } = wrong;
	throw new RegistryError(
		"REGISTRY_PUBLISHER_THRESHOLD",
		`${names.join(", ")}: ${threshold} of ${keys.length} keys would have to sign`,
		{
			hint: "give --threshold K, or add a key first (kfn registry publisher add): both changes go into one draft",
			details: { names, threshold, keys: keys.length },
		},
	);
}

function unknownPublisher(name: string, key: PublicKey | undefined): RegistryError {
	const what = key === undefined ? name : `${name} with the key ${key.keyid}`;
	return new RegistryError("REGISTRY_PUBLISHER_UNKNOWN", `the authorisation map has no entry for ${what}`, {
		hint: "kfn registry publisher list shows the entries; NAME is a pattern as it stands there",
		details: { name, keyid: key?.keyid ?? null },
	});
}
