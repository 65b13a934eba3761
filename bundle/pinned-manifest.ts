// Reads a manifest that parseManifest has accepted before, recognised by its digest. Refuses nothing else: whoever calls
// this has compared the digest. Exists because the schema checker costs more to load than `kfn status` may take.

import type { Digest } from "./digest.ts";
import { sha256 } from "./digest.ts";
import type { Manifest } from "./manifest-shape.ts";

/** The manifest, or undefined where the bytes are not those of `digest`. */
export function readPinnedManifest(bytes: Uint8Array, digest: Digest | string): Manifest | undefined {
	if (sha256(bytes) !== digest) return undefined;
	return JSON.parse(Buffer.from(bytes).toString("utf8")) as Manifest;
}
