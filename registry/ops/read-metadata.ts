// Finds a file of TUF metadata by the name that clients ask for (TUF 1.0.34 §6.2: consistent snapshots). Refuses names
// without a version, but for the timestamp's.
import { RegistryError } from "../api/errors.ts";
import type { RegistryContext } from "./registry-context.ts";

export interface MetadataFile {
	readonly bytes: Uint8Array;
	/** False for the timestamp, the one file whose content changes. */
	readonly immutable: boolean;
}

const VERSIONED = /^([1-9]\d{0,14})\.(root|targets|snapshot|bin-[0-9a-f]{1,8})\.json$/;

/** REGISTRY_NOT_FOUND for any other name, a version that is not there yet, and one that was pruned. */
export async function readMetadata(registry: RegistryContext, file: string): Promise<MetadataFile> {
	const immutable = file !== "timestamp.json";
	const [, version, role] = VERSIONED.exec(file) ?? [];
	const found = await registry.metadata.read(async (reads) => {
		if (!immutable) return reads.currentTrustFile("timestamp");
		return role === undefined ? undefined : reads.findTrustFile(role, Number(version));
	});
	if (found !== undefined) return { bytes: found.bytes, immutable };
	throw new RegistryError("REGISTRY_NOT_FOUND", `there is no metadata file ${file}`, {
		hint: "start at timestamp.json, and at the root after the one that you trust",
	});
}
