// Publishes one rollback permit: verified against the authorisation map, stored, logged, listed in its name's index. Refuses one that
// the name's publisher did not sign, that is not in force, or whose target is not what is published here.
import { createHash } from "node:crypto";
import { SigningError } from "#signing/errors.ts";
import { demandInForce, type OpenedPermit, parsePermitFile } from "#signing/permit.ts";
import { tufTime } from "#signing/tuf/time.ts";
import { RegistryError } from "../api/errors.ts";
import type { PermitPublishedDocument } from "../api/wire.ts";
import { recordInLog } from "../log/record.ts";
import type { MetadataTransaction } from "../ports/metadata-store.ts";
import type { PermitRecord } from "../ports/permit-store.ts";
import { indexDocument, indexTarget } from "../trust/index-document.ts";
import { publishTargets } from "../trust/repository.ts";
import { auditRefusal } from "./audit.ts";
import { type AuthorisedBy, authorisePermit, stillAuthorised } from "./authorised.ts";
import { stillAuthorized, type WriterScope } from "./authorize.ts";
import type { RegistryContext } from "./registry-context.ts";

/** A name's index stays readable, whatever its publisher's machine does. */
const MOST_IN_FORCE = 64;

export interface PermitRequest {
	/** Id of the URL; the name is the scope's. Both must equal the permit's. */
	readonly id: string;
	/** The permit's file. */
	readonly bytes: Uint8Array;
}

/** Publishes; `created` is false when the same bytes were there already, so that a retry is harmless. */
export async function publishPermit(
	registry: RegistryContext,
	scope: WriterScope<"publish">,
	request: PermitRequest,
): Promise<{ created: boolean; published: PermitPublishedDocument }> {
	const { name, tokenId } = scope;
	const sha256 = createHash("sha256").update(request.bytes).digest("hex");
	try {
		const { permit, authorised } = await examine(registry, name, request);
		const record = recordOf(permit, { bytes: request.bytes, sha256, at: registry.now(), tokenId });
		const created = await commit(registry, scope, { permit, authorised, record });
		return { created, published: publishedDocument(record) };
	} catch (error) {
		await auditRefusal(registry, { tokenId, verb: "permit", name, version: null, sha256 }, error);
		throw error;
	}
}

async function examine(
	registry: RegistryContext,
	name: string,
	{ id, bytes }: PermitRequest,
): Promise<{ permit: OpenedPermit; authorised: AuthorisedBy }> {
	try {
		const opened = await authorisePermit(registry, parsePermitFile(bytes), name);
		demandInForce(opened.permit, registry.now());
		if (opened.permit.id === id) return opened;
		throw refused(`it is permit ${opened.permit.id}, the URL says ${id}`, "PERMIT_SCOPE");
	} catch (error) {
		if (!(error instanceof SigningError)) throw error;
		throw refused(error.message, error.code, error);
	}
}

async function commit(
	registry: RegistryContext,
	scope: WriterScope<"publish">,
	{ permit, authorised, record }: { permit: OpenedPermit; authorised: AuthorisedBy; record: PermitRecord },
): Promise<boolean> {
	const { id, name, version, sha256, publishedAt: at, publishedBy: tokenId } = record;
	const keyring = await registry.keyring();
	return registry.metadata.transaction(async (tx) => {
		const now = registry.now();
		await stillAuthorized(tx, scope, now);
		await stillAuthorised(tx, authorised);
		await demandPublishedTarget(tx, permit);
		const created = await tx.insertPermit(record);
		if (created) {
			await demandRoom(tx, name, now);
			await recordInLog(tx, { at, type: "permit", name, version, sha256 }, { keyring });
			const index = indexTarget(await indexDocument(tx, name, now));
			await publishTargets(tx, { documents: [index] }, { keyring, now });
		} else if ((await tx.findPermit(id))?.sha256 !== sha256) throw taken(id);
		const outcome = created ? "created" : "same";
		await tx.appendAudit({ at, tokenId, verb: "permit", name, version, sha256, outcome });
		return created;
	});
}

/** A host would find nothing else than what is published: a permit for another content could only confuse. */
async function demandPublishedTarget(tx: MetadataTransaction, { name, to }: OpenedPermit): Promise<void> {
	const published = await tx.findVersion(name, to.version);
	if (published === undefined) {
		throw new RegistryError("REGISTRY_NOT_FOUND", `${name} ${to.version} is not published here`, {
			hint: "a permit leads to a version that hosts can get: publish it first",
		});
	}
	if (published.manifestSha256 === to.manifestSha256) return;
	throw refused(`it allows another manifest of ${to.version} than the published one`, "PERMIT_SCOPE");
}

async function demandRoom(tx: MetadataTransaction, name: string, now: Date): Promise<void> {
	if ((await tx.listPermits(name, tufTime(now))).length <= MOST_IN_FORCE) return;
	throw refused(`${name} has ${MOST_IN_FORCE} permits in force already`, null);
}

function recordOf(
	permit: OpenedPermit,
	upload: { bytes: Uint8Array; sha256: string; at: Date; tokenId: string },
): PermitRecord {
	const { bytes, sha256, at, tokenId } = upload;
	return {
		id: permit.id,
		name: permit.name,
		version: permit.to.version,
		expires: permit.expires,
		sha256,
		bytes,
		publishedAt: at.toISOString(),
		publishedBy: tokenId,
	};
}

function publishedDocument(record: PermitRecord): PermitPublishedDocument {
	const { id, name, version, expires, sha256 } = record;
	return { schema: "kfn.permit-published/1", id, name, version, expires, sha256 };
}

function refused(why: string, permitCode: string | null, cause?: unknown): RegistryError {
	return new RegistryError("REGISTRY_PERMIT_REFUSED", why, {
		hint: "kfn permit show tells what the file says",
		details: { permitCode },
		cause,
	});
}

function taken(id: string): RegistryError {
	return new RegistryError("REGISTRY_PERMIT_EXISTS", `another permit is published under the id ${id}`, {
		hint: "make a new one (kfn permit create)",
	});
}
