// Answers a bundle's index: all its versions, newest first, yanked ones marked. Refuses to choose a version: clients do.
import semver from "semver";
import { RegistryError } from "../api/errors.ts";
import type { IndexDocument, IndexVersion } from "../api/wire.ts";
import type { VersionRecord } from "../ports/metadata-store.ts";
import type { RegistryContext } from "./registry-context.ts";

/** REGISTRY_NOT_FOUND when nothing was ever published under the name. */
export async function readIndex(registry: RegistryContext, name: string): Promise<IndexDocument> {
	const records = await registry.metadata.read((reads) => reads.listVersions(name));
	if (records.length === 0) {
		throw new RegistryError("REGISTRY_NOT_FOUND", `no bundle named ${name} is published here`, {
			hint: "/v1/names.json lists the names",
		});
	}
	const newestFirst = records.sort((a, b) => semver.rcompare(a.version, b.version));
	return { schema: "kfn.index/1", name, versions: newestFirst.map(indexVersion) };
}

function indexVersion(record: VersionRecord): IndexVersion {
	const { yankedAt, yankReason } = record;
	return {
		version: record.version,
		sha256: record.sha256,
		size: record.size,
		manifestSha256: record.manifestSha256,
		tag: record.tag,
		function: { name: record.functionName, abi: record.functionAbi },
		requires: record.requires,
		publishedAt: record.publishedAt,
		yanked: yankedAt === null ? null : { at: yankedAt, reason: yankReason ?? "" },
	};
}
