// Answers a bundle's index: all its versions, newest first, yanked ones marked. Refuses to choose a version: clients do.
import { RegistryError } from "../api/errors.ts";
import type { IndexDocument } from "../api/wire.ts";
import { indexDocument } from "../trust/index-document.ts";
import type { RegistryContext } from "./registry-context.ts";

/** REGISTRY_NOT_FOUND when nothing was ever published under the name. */
export async function readIndex(registry: RegistryContext, name: string): Promise<IndexDocument> {
	const index = await registry.metadata.read((reads) => indexDocument(reads, name, registry.now()));
	if (index.versions.length > 0) return index;
	throw new RegistryError("REGISTRY_NOT_FOUND", `no bundle named ${name} is published here`, {
		hint: "/v1/names.json lists the names",
	});
}
