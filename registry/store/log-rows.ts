// Reads and writes of the transparency log in SQL that SQLite and PostgreSQL share. Hashes are kept as hexadecimal text: the
// columns are text and integers on every dialect. Refuses to know what a Merkle tree is.
import type { Kysely, Selectable } from "kysely";
import type { LogGrowth, StoredCheckpoint, StoredTile } from "../ports/log-store.ts";
import type { LogCheckpointsTable, RegistrySchema } from "./schema.ts";

type Database = Kysely<RegistrySchema>;

export async function newestCheckpoint(db: Database): Promise<StoredCheckpoint | undefined> {
	const query = db.selectFrom("log_checkpoints").selectAll().orderBy("size", "desc").limit(1);
	const row = await query.executeTakeFirst();
	return row && checkpointOfRow(row);
}

export async function listCheckpoints(db: Database): Promise<StoredCheckpoint[]> {
	const rows = await db.selectFrom("log_checkpoints").selectAll().orderBy("size", "desc").execute();
	return rows.map(checkpointOfRow);
}

export async function findCheckpoint(db: Database, size: number): Promise<StoredCheckpoint | undefined> {
	const row = await db.selectFrom("log_checkpoints").selectAll().where("size", "=", size).executeTakeFirst();
	return row && checkpointOfRow(row);
}

export async function findLogTile(
	db: Database,
	level: number,
	index: number,
): Promise<StoredTile | undefined> {
	const query = db.selectFrom("log_tiles").select("hashes");
	const row = await query.where("level", "=", level).where("number", "=", index).executeTakeFirst();
	return row && { level, index, bytes: new Uint8Array(Buffer.from(row.hashes, "hex")) };
}

export async function listLogEntries(db: Database, start: number, limit: number): Promise<Uint8Array[]> {
	const query = db.selectFrom("log_entries").select("content").where("number", ">=", start);
	const rows = await query.orderBy("number").limit(limit).execute();
	return rows.map(({ content }) => new TextEncoder().encode(content));
}

export async function findLogIndexes(db: Database, name: string): Promise<Map<string, number>> {
	const query = db.selectFrom("log_entries").select(["number", "published_version"]);
	const rows = await query.where("published_name", "=", name).orderBy("number", "desc").execute();
	// The first entry of a version is its publication: later ones do not replace it.
	return new Map(rows.map((row) => [row.published_version ?? "", row.number]));
}

export async function growLog(db: Database, growth: LogGrowth): Promise<boolean> {
	const { expectedSize, published, tiles } = growth;
	if (((await newestCheckpoint(db))?.size ?? 0) !== expectedSize) return false;
	const inserted = await db
		.insertInto("log_entries")
		.values({
			number: expectedSize,
			content: textOf(growth.entry),
			published_name: published?.name ?? null,
			published_version: published?.version ?? null,
		})
		// On a database whose transactions overlap, two may read one size: the second of them ends here.
		.onConflict((conflict) => conflict.column("number").doNothing())
		.executeTakeFirst();
	if (inserted.numInsertedOrUpdatedRows !== 1n) return false;
	for (const { level, index, bytes } of tiles) {
		const hashes = Buffer.from(bytes).toString("hex");
		await db
			.insertInto("log_tiles")
			.values({ level, number: index, hashes })
			.onConflict((conflict) => conflict.columns(["level", "number"]).doUpdateSet({ hashes }))
			.execute();
	}
	const content = textOf(growth.checkpoint);
	await db
		.insertInto("log_checkpoints")
		.values({ size: expectedSize + 1, content })
		.execute();
	return true;
}

export async function swapCheckpoint(
	db: Database,
	size: number,
	expected: Uint8Array,
	bytes: Uint8Array,
): Promise<boolean> {
	const query = db.updateTable("log_checkpoints").set({ content: textOf(bytes) });
	const result = await query
		.where("size", "=", size)
		.where("content", "=", textOf(expected))
		.executeTakeFirst();
	return result.numUpdatedRows === 1n;
}

export async function pruneCheckpoints(db: Database, size: number, kept: number): Promise<void> {
	await db.deleteFrom("log_checkpoints").where("size", "<", size).where("size", "!=", kept).execute();
}

function checkpointOfRow({ size, content }: Selectable<LogCheckpointsTable>): StoredCheckpoint {
	return { size, bytes: new TextEncoder().encode(content) };
}

/** Fails on what is not UTF-8: the bytes would not come back as they went in. */
function textOf(bytes: Uint8Array): string {
	return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}
