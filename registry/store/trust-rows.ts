// Reads and writes of trust metadata and documents in SQL that SQLite and PostgreSQL share. Refuses to know what TUF is.
import type { Kysely, Selectable } from "kysely";
import type { RoleRecord, TrustDocument, TrustFile } from "../ports/metadata-store.ts";
import type { DocumentsTable, RegistrySchema, TrustFilesTable } from "./schema.ts";

type Database = Kysely<RegistrySchema>;

/** Roles whose every version is kept: a client walks the chain of roots, and both say who was trusted when. */
const KEPT_ROLES = ["root", "targets"];

export async function findTrustFile(
	db: Database,
	role: string,
	version: number,
): Promise<TrustFile | undefined> {
	const query = db.selectFrom("trust_files").selectAll();
	const row = await query.where("role", "=", role).where("version", "=", version).executeTakeFirst();
	return row && fileOfRow(row);
}

export async function currentTrustFile(db: Database, role: string): Promise<TrustFile | undefined> {
	const query = db.selectFrom("trust_files").selectAll().where("role", "=", role);
	const row = await query.orderBy("version", "desc").limit(1).executeTakeFirst();
	return row && fileOfRow(row);
}

export function listRoles(db: Database): Promise<RoleRecord[]> {
	const query = db.selectFrom("trust_files").select(["role", "version", "expires"]);
	return query.where("superseded_at", "is", null).orderBy("role").execute();
}

export async function insertTrustFile(db: Database, file: TrustFile, at: string): Promise<boolean> {
	const { role, version, expires } = file;
	const result = await db
		.insertInto("trust_files")
		.values({ role, version, expires, superseded_at: null, content: textOf(file.bytes) })
		.onConflict((conflict) => conflict.columns(["role", "version"]).doNothing())
		.executeTakeFirst();
	if (result.numInsertedOrUpdatedRows !== 1n) return false;
	await db
		.updateTable("trust_files")
		.set({ superseded_at: at })
		.where("role", "=", role)
		.where("version", "<", version)
		.where("superseded_at", "is", null)
		.execute();
	return true;
}

export async function findDocument(
	db: Database,
	path: string,
	sha256: string,
): Promise<TrustDocument | undefined> {
	const query = db.selectFrom("documents").selectAll();
	const row = await query.where("path", "=", path).where("sha256", "=", sha256).executeTakeFirst();
	return row && documentOfRow(row);
}

export async function currentDocument(db: Database, path: string): Promise<TrustDocument | undefined> {
	const query = db.selectFrom("documents").selectAll().where("path", "=", path);
	const row = await query.where("superseded_at", "is", null).executeTakeFirst();
	return row && documentOfRow(row);
}

export async function putDocument(db: Database, document: TrustDocument, at: string): Promise<void> {
	const { path, sha256 } = document;
	await db
		.updateTable("documents")
		.set({ superseded_at: at })
		.where("path", "=", path)
		.where("sha256", "!=", sha256)
		.where("superseded_at", "is", null)
		.execute();
	await db
		.insertInto("documents")
		.values({ path, sha256, superseded_at: null, content: textOf(document.bytes) })
		// A document that comes back (a yank undone) is the current one again, with the bytes that it always had.
		.onConflict((conflict) => conflict.columns(["path", "sha256"]).doUpdateSet({ superseded_at: null }))
		.execute();
}

export async function pruneTrust(db: Database, before: string): Promise<number> {
	const files = await db
		.deleteFrom("trust_files")
		.where("superseded_at", "<", before)
		.where("role", "not in", KEPT_ROLES)
		.executeTakeFirst();
	const documents = await db.deleteFrom("documents").where("superseded_at", "<", before).executeTakeFirst();
	return Number(files.numDeletedRows + documents.numDeletedRows);
}

function fileOfRow({ role, version, expires, content }: Selectable<TrustFilesTable>): TrustFile {
	return { role, version, expires, bytes: bytesOf(content) };
}

function documentOfRow({ path, sha256, content }: Selectable<DocumentsTable>): TrustDocument {
	return { path, sha256, bytes: bytesOf(content) };
}

function bytesOf(text: string): Uint8Array {
	return new TextEncoder().encode(text);
}

/** Fails on what is not UTF-8: the bytes would not come back as they went in. */
function textOf(bytes: Uint8Array): string {
	return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}
