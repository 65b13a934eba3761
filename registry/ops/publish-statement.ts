// Publishes one statement: verified against who may state it, stored, logged, listed in the target of its name and kind. Refuses
// one that its authorities did not sign, that does not count now, and one that is older than what is listed.
import { createHash } from "node:crypto";
import { SigningError } from "#signing/errors.ts";
import { tufTime } from "#signing/tuf/time.ts";
import { RegistryError } from "../api/errors.ts";
import type { StatementPublishedDocument } from "../api/wire.ts";
import { recordInLog } from "../log/record.ts";
import type { MetadataTransaction } from "../ports/metadata-store.ts";
import type { StatementRecord } from "../ports/statement-store.ts";
import type { OpenedStatement } from "../statements/kind.ts";
import { STATEMENT_KINDS, type StatementKindName } from "../statements/kinds.ts";
import { OnlineSigner } from "../trust/repository.ts";
import { statementsTarget } from "../trust/statements-document.ts";
import { auditRefusal } from "./audit.ts";
import { type AuthorisedBy, authoriseStatement, stillAuthorised } from "./authorised.ts";
import { stillAuthorized, type WriterScope } from "./authorize.ts";
import type { RegistryContext } from "./registry-context.ts";

export interface StatementRequest {
	readonly kind: StatementKindName;
	/** Id of the URL; the name is the scope's. Both must equal the statement's. */
	readonly id: string;
	/** The statement's file. */
	readonly bytes: Uint8Array;
}

/** Publishes; `created` is false when the same bytes were there already, so that a retry is harmless. */
export async function publishStatement(
	registry: RegistryContext,
	scope: WriterScope<"publish">,
	request: StatementRequest,
): Promise<{ created: boolean; published: StatementPublishedDocument }> {
	const { name, tokenId } = scope;
	const sha256 = createHash("sha256").update(request.bytes).digest("hex");
	try {
		const { opened, authorised } = await examine(registry, name, request);
		const { id, serial, expires } = opened;
		const { kind, bytes } = request;
		const publishedAt = registry.now().toISOString();
		const record = { kind, name, id, serial, expires, sha256, bytes, publishedAt, publishedBy: tokenId };
		const created = await commit(registry, scope, { request, opened, authorised, record });
		const schema = "kfn.statement-published/1";
		return { created, published: { schema, kind, name, id, serial, expires, sha256 } };
	} catch (error) {
		await auditRefusal(registry, { tokenId, verb: "statement", name, version: null, sha256 }, error);
		throw error;
	}
}

async function examine(
	registry: RegistryContext,
	name: string,
	request: StatementRequest,
): Promise<{ opened: OpenedStatement; authorised: AuthorisedBy }> {
	const { parse, open } = STATEMENT_KINDS[request.kind];
	return refusing(request.kind, async () => {
		const envelope = parse(request.bytes);
		const now = registry.now();
		const examined = await authoriseStatement(registry, name, (authorities) =>
			open(envelope, name, { authorities, now }),
		);
		if (examined.opened.id === request.id) return examined;
		throw refused(request.kind, `its id is ${examined.opened.id}, the URL says ${request.id}`);
	});
}

async function commit(
	registry: RegistryContext,
	scope: WriterScope<"publish">,
	statement: {
		request: StatementRequest;
		opened: OpenedStatement;
		authorised: AuthorisedBy;
		record: StatementRecord;
	},
): Promise<boolean> {
	const { request, opened, authorised, record } = statement;
	const { name, id, serial, sha256, publishedAt: at, publishedBy: tokenId } = record;
	const { kind } = request;
	const keyring = await registry.keyring();
	return registry.metadata.transaction(async (tx) => {
		const now = registry.now();
		await stillAuthorized(tx, scope, now);
		await stillAuthorised(tx, authorised);
		await refusing(kind, async () => opened.demand?.(tx));
		const created = await take(tx, record);
		if (created) {
			await demandRoom(tx, { kind, name }, now);
			await recordInLog(tx, { at, type: "statement", kind, name, id, serial, sha256 }, { keyring });
			const target = await statementsTarget(tx, { kind, name }, now);
			const signer = await OnlineSigner.open(tx, { keyring, now });
			await signer.publish({ documents: [target] });
			if (kind === "revocation") await signer.signRecallList();
		}
		const outcome = created ? "created" : "same";
		await tx.appendAudit({ at, tokenId, verb: "statement", name, version: null, sha256, outcome });
		return created;
	});
}

/** True when it was stored: as the first of its id, or in the place of one with a lower serial. */
async function take(tx: MetadataTransaction, record: StatementRecord): Promise<boolean> {
	if (await tx.insertStatement(record)) return true;
	const before = await tx.findStatement(record);
	if (before?.sha256 === record.sha256) return false;
	if (before === undefined || record.serial <= before.serial) throw taken(record, before);
	if (await tx.replaceStatement(record, before.serial)) return true;
	// Cannot happen where transactions are serial (SQLite); elsewhere the swap is what notices a concurrent change.
	throw new RegistryError("REGISTRY_BUSY", `${record.id} was changed at the same moment`, {
		hint: "try again",
	});
}

async function demandRoom(
	tx: MetadataTransaction,
	{ kind, name }: { kind: StatementKindName; name: string },
	now: Date,
): Promise<void> {
	const { most } = STATEMENT_KINDS[kind];
	if ((await tx.listStatements(kind, name, tufTime(now))).length <= most) return;
	throw refused(kind, `${name} has ${most} of this kind already`);
}

async function refusing<T>(kind: StatementKindName, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		if (!(error instanceof SigningError)) throw error;
		throw refused(kind, error.message, error);
	}
}

function refused(kind: StatementKindName, why: string, cause?: SigningError): RegistryError {
	return new RegistryError("REGISTRY_STATEMENT_REFUSED", why, {
		hint: `${STATEMENT_KINDS[kind].show} tells what the file says`,
		details: { kind, statementCode: cause?.code ?? null },
		cause,
	});
}

function taken({ kind, id }: StatementRecord, before: StatementRecord | undefined): RegistryError {
	return new RegistryError("REGISTRY_STATEMENT_EXISTS", `another ${kind} is published under the id ${id}`, {
		hint: "look at what is published: a newer one must come after it",
		details: { kind, id, serial: before?.serial ?? null },
	});
}
