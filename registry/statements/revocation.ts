// Revocations as statements. Refuses one of what is not published here: a mistyped tag would revoke nothing, and its publisher
// would believe that it did.
import { type OpenedRevocation, openRevocation, parseRevocationFile } from "#signing/revocation.ts";
import { RegistryError } from "../api/errors.ts";
import type { MetadataReads } from "../ports/metadata-store.ts";
import type { StatementKind } from "./kind.ts";

/** A withdrawal takes the place of what it takes back, and nothing takes its own. */
export const REVOCATION_KIND: StatementKind = {
	most: 128,
	show: "kfn recall show",
	parse: parseRevocationFile,
	async open(envelope, name, { authorities }) {
		const revocation = await openRevocation(envelope, name, authorities.publishers);
		const { id, state } = revocation;
		const serial = state === "withdrawn" ? 1 : 0;
		return { id, serial, expires: null, demand: (reads) => demandPublished(reads, revocation) };
	},
};

async function demandPublished(
	reads: MetadataReads,
	{ name, tags, builds }: OpenedRevocation,
): Promise<void> {
	const versions = await reads.listVersions(name);
	const tag = tags.find((wanted) => !versions.some((record) => record.tag === wanted));
	const build = builds.find(
		(wanted) =>
			!versions.some(
				(record) => record.manifestSha256 === wanted.manifestSha256 && record.version === wanted.version,
			),
	);
	if (tag === undefined && build === undefined) return;
	throw new RegistryError(
		"REGISTRY_NOT_FOUND",
		`no ${name} with ${tag ?? `the manifest of ${build!.version}`} is published here`,
		{
			hint: "a revocation names what hosts can have from here: kfn recall new NAME --version VERSION reads it from the index",
		},
	);
}
