// What the metadata lists for one bundle name: its index document and its archives. Refuses to choose a version: clients do.
import semver from "semver";
import type { TargetFile } from "#signing/tuf/metadata.ts";
import { type IndexDocument, type IndexVersion, targetPaths } from "../api/wire.ts";
import type { MetadataReads, VersionRecord } from "../ports/metadata-store.ts";

/** All versions of a name, newest first by semver, yanked ones marked, each with its place in the log. */
export async function indexDocument(reads: MetadataReads, name: string): Promise<IndexDocument> {
	const records = await reads.listVersions(name);
	const logged = await reads.findLogIndexes(name);
	const newestFirst = records.sort((a, b) => semver.rcompare(a.version, b.version));
	const versions = newestFirst.map((record) => indexVersion(record, logged.get(record.version)));
	return { schema: "kfn.index/1", name, versions };
}

/** The document as the target `NAME/index.json`. */
export function indexTarget(document: IndexDocument): { path: string; bytes: Uint8Array } {
	const bytes = new TextEncoder().encode(JSON.stringify(document));
	return { path: targetPaths.index(document.name), bytes };
}

/** The archive as the target `NAME/NAME-VERSION.kfn`. */
export function archiveTarget(record: VersionRecord): { path: string; file: TargetFile } {
	const { name, version, sha256, size, tag, manifestSha256 } = record;
	const file = { length: size, hashes: { sha256 }, custom: { kfn: { tag, manifestSha256 } } };
	return { path: targetPaths.archive(name, version), file };
}

function indexVersion(record: VersionRecord, logIndex: number | undefined): IndexVersion {
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
		log: logIndex === undefined ? null : { index: logIndex },
	};
}
