// Reads and writes of statements in SQL that SQLite and PostgreSQL share. Refuses to know what a statement says.
import type { Kysely, Selectable } from "kysely";
import type { StatementKey, StatementRecord } from "../ports/statement-store.ts";
import type { RegistrySchema, StatementsTable } from "./schema.ts";

type Database = Kysely<RegistrySchema>;

export async function findStatement(
	db: Database,
	{ kind, name, id }: StatementKey,
): Promise<StatementRecord | undefined> {
	const query = db.selectFrom("statements").selectAll().where("kind", "=", kind).where("name", "=", name);
	const row = await query.where("id", "=", id).executeTakeFirst();
	return row && statementOfRow(row);
}

export async function listStatements(
	db: Database,
	kind: string,
	name: string | null,
	now: string,
): Promise<StatementRecord[]> {
	const live = db
		.selectFrom("statements")
		.selectAll()
		.where("kind", "=", kind)
		.where((row) => row.or([row("expires", "is", null), row("expires", ">", now)]));
	const query = name === null ? live : live.where("name", "=", name);
	return (await query.orderBy("name").orderBy("id").execute()).map(statementOfRow);
}

export async function insertStatement(db: Database, record: StatementRecord): Promise<boolean> {
	const result = await db
		.insertInto("statements")
		.values(rowOfStatement(record))
		.onConflict((conflict) => conflict.columns(["kind", "name", "id"]).doNothing())
		.executeTakeFirst();
	return result.numInsertedOrUpdatedRows === 1n;
}

export async function replaceStatement(
	db: Database,
	record: StatementRecord,
	expectedSerial: number,
): Promise<boolean> {
	const { kind, name, id, ...changed } = rowOfStatement(record);
	const result = await db
		.updateTable("statements")
		.set(changed)
		.where("kind", "=", kind)
		.where("name", "=", name)
		.where("id", "=", id)
		.where("serial", "=", expectedSerial)
		.executeTakeFirst();
	return result.numUpdatedRows === 1n;
}

function rowOfStatement({ bytes, publishedAt, publishedBy, ...same }: StatementRecord): StatementsTable {
	// Fails on what is not UTF-8: the bytes would not come back as they went in.
	const content = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
	return { ...same, content, published_at: publishedAt, published_by: publishedBy };
}

function statementOfRow(row: Selectable<StatementsTable>): StatementRecord {
	const { content, published_at: publishedAt, published_by: publishedBy, ...same } = row;
	return { ...same, bytes: new TextEncoder().encode(content), publishedAt, publishedBy };
}
