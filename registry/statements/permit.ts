// Rollback permits as statements. Refuses one whose target is not what is published here: a host would find nothing else, and a
// permit for another content could only confuse.
import { SigningError } from "#signing/errors.ts";
import { demandInForce, type OpenedPermit, openPermit, parsePermitFile } from "#signing/permit.ts";
import { RegistryError } from "../api/errors.ts";
import type { MetadataReads } from "../ports/metadata-store.ts";
import type { StatementKind } from "./kind.ts";

/** An id means one permit for ever, so it has no successors. */
export const PERMIT_KIND: StatementKind = {
	most: 64,
	show: "kfn permit show",
	parse: parsePermitFile,
	async open(envelope, name, { authorities, now }) {
		const permit = await openPermit(envelope, name, authorities.publishers);
		demandInForce(permit, now);
		const { id, expires } = permit;
		return { id, serial: 0, expires, demand: (reads) => demandPublishedTarget(reads, permit) };
	},
};

async function demandPublishedTarget(reads: MetadataReads, { name, to }: OpenedPermit): Promise<void> {
	const published = await reads.findVersion(name, to.version);
	if (published === undefined) {
		throw new RegistryError("REGISTRY_NOT_FOUND", `${name} ${to.version} is not published here`, {
			hint: "a permit leads to a version that hosts can get: publish it first",
		});
	}
	if (published.manifestSha256 === to.manifestSha256) return;
	throw new SigningError(
		"PERMIT_SCOPE",
		`it allows another manifest of ${to.version} than the published one`,
	);
}
