// Reads and writes of rollback permits in SQL that SQLite and PostgreSQL share. Refuses to know what a permit is.
import type { Kysely, Selectable } from "kysely";
import type { PermitRecord } from "../ports/permit-store.ts";
import type { PermitsTable, RegistrySchema } from "./schema.ts";

type Database = Kysely<RegistrySchema>;

export async function findPermit(db: Database, id: string): Promise<PermitRecord | undefined> {
	const row = await db.selectFrom("permits").selectAll().where("id", "=", id).executeTakeFirst();
	return row && permitOfRow(row);
}

export async function listPermits(db: Database, name: string, now: string): Promise<PermitRecord[]> {
	const query = db.selectFrom("permits").selectAll().where("name", "=", name).where("expires", ">", now);
	return (await query.orderBy("id").execute()).map(permitOfRow);
}

export async function insertPermit(db: Database, record: PermitRecord): Promise<boolean> {
	const { publishedAt, publishedBy, bytes, ...same } = record;
	// Fails on what is not UTF-8: the bytes would not come back as they went in.
	const content = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
	const result = await db
		.insertInto("permits")
		.values({ ...same, content, published_at: publishedAt, published_by: publishedBy })
		.onConflict((conflict) => conflict.column("id").doNothing())
		.executeTakeFirst();
	return result.numInsertedOrUpdatedRows === 1n;
}

function permitOfRow(row: Selectable<PermitsTable>): PermitRecord {
	const { content, published_at: publishedAt, published_by: publishedBy, ...same } = row;
	return { ...same, bytes: new TextEncoder().encode(content), publishedAt, publishedBy };
}
