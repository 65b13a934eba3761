// What another authorisation map does to what is published: which versions counted by the live map and would not by the new one.
// Refuses to guess: it verifies the archives as hosts do.
import { type Bundle, openBundle } from "#bundle/bundle.ts";
import { SigningError } from "#signing/errors.ts";
import { type Publisher, type Publishers, publisherFor } from "#signing/publishers.ts";
import { verifyManifest } from "#signing/verify.ts";
import type { RegistryContext } from "../ops/registry-context.ts";
import type { VersionRecord } from "../ports/metadata-store.ts";

/** A version that hosts accept by the live map and refuse by the new one; `code` is what they refuse it with. */
export interface LostVersion {
	readonly name: string;
	readonly version: string;
	readonly manifestSha256: string;
	readonly code: string;
}

const NAMES_PER_PAGE = 1000;

/** In order of names; reads the archives of names whose publisher changes, and no others. */
export async function lostVersions(
	registry: RegistryContext,
	maps: { readonly before: Publishers; readonly after: Publishers },
): Promise<LostVersion[]> {
	const lost: LostVersion[] = [];
	for await (const record of publishedVersions(registry, (name) => changes(maps, name))) {
		const { name, version, manifestSha256 } = record;
		if ((await refusedBy(registry, maps.before, record)) !== undefined) continue;
		const code = await refusedBy(registry, maps.after, record);
		if (code !== undefined) lost.push({ name, version, manifestSha256, code });
	}
	return lost;
}

/** All versions of the names that `wanted` takes. */
export async function* publishedVersions(
	registry: RegistryContext,
	wanted: (name: string) => boolean,
): AsyncGenerator<VersionRecord> {
	for (let after = ""; ; ) {
		const page = after;
		const names = await registry.metadata.read((reads) => reads.listNames(page, NAMES_PER_PAGE));
		for (const name of names.filter(wanted)) {
			yield* await registry.metadata.read((reads) => reads.listVersions(name));
		}
		if (names.length < NAMES_PER_PAGE) return;
		after = names.at(-1)!;
	}
}

/** Why a host that goes by this map refuses the version; undefined when it does not. */
export async function refusedBy(
	registry: RegistryContext,
	map: Publishers,
	record: VersionRecord,
): Promise<string | undefined> {
	const publisher = publisherOf(map, record.name);
	if (publisher === undefined) return "PUBLISHERS_NO_MATCH";
	const { manifestBytes, signatureBytes } = await openPublished(registry, record);
	try {
		await verifyManifest(manifestBytes, signatureBytes, publisher);
		return undefined;
	} catch (error) {
		if (error instanceof SigningError) return error.code;
		throw error;
	}
}

export async function openPublished(
	registry: RegistryContext,
	{ sha256, size }: VersionRecord,
): Promise<Bundle> {
	const bytes = await registry.blobs.open(sha256, size);
	if (bytes === undefined) throw new Error(`the archive ${sha256} is not in the store`);
	return openBundle(bytes);
}

function changes({ before, after }: { before: Publishers; after: Publishers }, name: string): boolean {
	return JSON.stringify(publisherOf(before, name)) !== JSON.stringify(publisherOf(after, name));
}

/** The entry that decides for the name; undefined when none does. */
export function publisherOf(map: Publishers, name: string): Publisher | undefined {
	try {
		return publisherFor(map, name);
	} catch (error) {
		if (error instanceof SigningError && error.code === "PUBLISHERS_NO_MATCH") return undefined;
		throw error;
	}
}
