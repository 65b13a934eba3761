// Under which bundle names this host looks for advisories (docs/formats/advisory.md). Refuses to ask for every name of a registry.

import { join } from "node:path";
import { parseManifest } from "#bundle/manifest.ts";
import type { Manifest } from "#bundle/manifest-shape.ts";
import { generationNumbers, planOrUndefined } from "../generations.ts";
import { readHolds } from "../holds.ts";
import type { Host } from "../host.ts";
import { readIfThere } from "../state-file.ts";
import { storedDigests } from "../store.ts";

/** The functions that every kernel has code of its own for; what is wrong with that code stands under the bundle of the same name. */
export const KERNEL_FUNCTIONS = ["flow-dissector", "gro", "tso"] as const;

/** A bundle in the store, by its manifest alone; null where that cannot be read: then it is `kfn verify`'s business. */
export interface StoredRelease {
	readonly sha256: string;
	readonly manifest: Manifest | null;
}

/** Sorted, each once. */
export function advisoryNames(host: Host): string[] {
	const planned = generationNumbers(host).flatMap((n) => planOrUndefined(host, n)?.functions ?? []);
	const stored = storedReleases(host).flatMap(({ manifest }) => (manifest === null ? [] : [manifest]));
	const names = [
		...KERNEL_FUNCTIONS,
		...planned.flatMap((entry) => [entry.bundle.name, entry.function]),
		...stored.flatMap((manifest) => [manifest.name, manifest.function.name]),
		...readHolds(host).map(({ name }) => name),
	];
	return [...new Set(names)].sort();
}

export function storedReleases(host: Host): StoredRelease[] {
	return storedDigests(host).map((sha256) => ({ sha256, manifest: manifestOf(host, sha256) }));
}

function manifestOf(host: Host, sha256: string): Manifest | null {
	const bytes = readIfThere(join(host.layout.storeEntry(sha256), "kfn.json"));
	try {
		return bytes === undefined ? null : parseManifest(bytes);
	} catch {
		return null;
	}
}
