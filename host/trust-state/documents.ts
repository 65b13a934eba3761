// What of the registry's targets stands in a set beside the metadata: the map of who may sign which names, what the registry says
// of itself, and the map of vendors where it has one. Refuses a set without the first two: an installation rests on the map.
import { sha256 } from "#bundle/digest.ts";
import { SigningError } from "#signing/errors.ts";
import { type Publishers, parsePublishers } from "#signing/publishers.ts";
import { parseRegistryDocument } from "#signing/registry-document.ts";
import { parseVendors, type Vendors } from "#signing/vendors.ts";
import type { Remembered, Walk } from "./session.ts";
import type { TrustSet } from "./set.ts";

/** Target path, file name in the set, and the reader that must take the bytes. */
const DOCUMENTS = [
	{ path: "kfn/publishers.json", file: "publishers.json", read: parsePublishers, optional: false },
	{ path: "kfn/registry.json", file: "registry.json", read: parseRegistryDocument, optional: false },
	{ path: "kfn/vendors.json", file: "vendors.json", read: parseVendors, optional: true },
] as const;

/** The documents of a finished walk; those of the set before where their digests are still listed. */
export async function registryDocuments(
	walk: Walk,
	{ set }: Pick<Remembered, "set">,
): Promise<ReadonlyMap<string, Uint8Array>> {
	const found = new Map<string, Uint8Array>();
	for (const { path, file, read, optional } of DOCUMENTS) {
		// Not in a bin: its key is online, and whoever steals it must not say who may sign.
		const target = listsItself(walk, path) ? await walk.find(path) : undefined;
		if (target === undefined) {
			if (optional) continue;
			throw new SigningError("TRUST_NO_TARGET", `the registry's metadata lists no ${path}`, {
				hint: "is this a kfn registry? Its targets signers put that file there",
				details: { path },
			});
		}
		const old = set?.files.get(file);
		const bytes =
			old !== undefined && sha256(old) === target.hashes["sha256"] ? old : await walk.download(target);
		read(bytes);
		found.set(file, bytes);
	}
	return found;
}

/** Whether the top-level targets metadata has the path; what it has it decides, whatever is delegated (TUF 1.0.34 §5.6.7). */
function listsItself(walk: Walk, path: string): boolean {
	const bytes = walk.trusted().get("targets")!;
	const { signed } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { signed: { targets: object } };
	return Object.hasOwn(signed.targets, path);
}

/** The registry's map of vendors; without entries where the set has none. */
export function vendorsOfSet(set: TrustSet): Vendors {
	const bytes = set.files.get("vendors.json");
	return bytes === undefined ? { vendors: [] } : parseVendors(bytes);
}

/** The registry's map of publishers; `undefined` in a set whose first walk did not reach its end. */
export function publishersOfSet(set: TrustSet): Publishers | undefined {
	const bytes = set.files.get("publishers.json");
	return bytes === undefined ? undefined : parsePublishers(bytes);
}
