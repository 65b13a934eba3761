// The schema's history: append only, run in order, each once. Refuses SQL that only one dialect understands.
// On a dialect whose text order follows a locale, the columns that are ordered by (bundles.name, trust_files.role, statements.name, statements.id) need byte order ("C").
import type { Kysely } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { RegistryError } from "../api/errors.ts";
import type { RegistrySchema, StatementsTable } from "./schema.ts";

type PermitsTable = Omit<StatementsTable, "kind" | "serial">;

const first: Migration = {
	async up(db: Kysely<unknown>): Promise<void> {
		await db.schema
			.createTable("bundles")
			.addColumn("name", "text", (column) => column.primaryKey())
			.execute();
		await db.schema
			.createTable("versions")
			.addColumn("name", "text", (column) => column.notNull().references("bundles.name"))
			.addColumn("version", "text", (column) => column.notNull())
			.addColumn("sha256", "text", (column) => column.notNull().unique())
			.addColumn("size", "integer", (column) => column.notNull())
			.addColumn("manifest_sha256", "text", (column) => column.notNull())
			.addColumn("tag", "text", (column) => column.notNull())
			.addColumn("function_name", "text", (column) => column.notNull())
			.addColumn("function_abi", "integer", (column) => column.notNull())
			.addColumn("requires", "text", (column) => column.notNull())
			.addColumn("published_at", "text", (column) => column.notNull())
			.addColumn("published_by", "text", (column) => column.notNull())
			.addColumn("yanked_at", "text")
			.addColumn("yank_reason", "text")
			.addColumn("revision", "integer", (column) => column.notNull())
			.addPrimaryKeyConstraint("versions_pk", ["name", "version"])
			.execute();
		await db.schema
			.createTable("tokens")
			.addColumn("id", "text", (column) => column.primaryKey())
			.addColumn("hash", "text", (column) => column.notNull().unique())
			.addColumn("label", "text", (column) => column.notNull())
			.addColumn("names", "text", (column) => column.notNull())
			.addColumn("verbs", "text", (column) => column.notNull())
			.addColumn("created_at", "text", (column) => column.notNull())
			.addColumn("expires_at", "text", (column) => column.notNull())
			.addColumn("revoked_at", "text")
			.execute();
		await db.schema
			.createTable("audit")
			.addColumn("id", "text", (column) => column.primaryKey())
			.addColumn("at", "text", (column) => column.notNull())
			.addColumn("token_id", "text")
			.addColumn("verb", "text", (column) => column.notNull())
			.addColumn("name", "text")
			.addColumn("version", "text")
			.addColumn("sha256", "text")
			.addColumn("outcome", "text", (column) => column.notNull())
			.execute();
	},
};

const trust: Migration = {
	async up(db: Kysely<unknown>): Promise<void> {
		await db.schema
			.createTable("trust_files")
			.addColumn("role", "text", (column) => column.notNull())
			.addColumn("version", "integer", (column) => column.notNull())
			.addColumn("expires", "text", (column) => column.notNull())
			.addColumn("superseded_at", "text")
			.addColumn("content", "text", (column) => column.notNull())
			.addPrimaryKeyConstraint("trust_files_pk", ["role", "version"])
			.execute();
		// Every publish lists the current version of all bins: answered from the index alone.
		await db.schema
			.createIndex("trust_files_current")
			.on("trust_files")
			.columns(["superseded_at", "role", "version", "expires"])
			.execute();
		await db.schema
			.createTable("documents")
			.addColumn("path", "text", (column) => column.notNull())
			.addColumn("sha256", "text", (column) => column.notNull())
			.addColumn("superseded_at", "text")
			.addColumn("content", "text", (column) => column.notNull())
			.addPrimaryKeyConstraint("documents_pk", ["path", "sha256"])
			.execute();
		await db.schema
			.createIndex("documents_superseded")
			.on("documents")
			.columns(["superseded_at", "path"])
			.execute();
	},
};

const log: Migration = {
	async up(db: Kysely<unknown>): Promise<void> {
		await db.schema
			.createTable("log_entries")
			.addColumn("number", "integer", (column) => column.primaryKey())
			.addColumn("published_name", "text")
			.addColumn("published_version", "text")
			.addColumn("content", "text", (column) => column.notNull())
			.execute();
		await db.schema
			.createIndex("log_entries_published")
			.on("log_entries")
			.columns(["published_name", "published_version"])
			.execute();
		await db.schema
			.createTable("log_tiles")
			.addColumn("level", "integer", (column) => column.notNull())
			.addColumn("number", "integer", (column) => column.notNull())
			.addColumn("hashes", "text", (column) => column.notNull())
			.addPrimaryKeyConstraint("log_tiles_pk", ["level", "number"])
			.execute();
		await db.schema
			.createTable("log_checkpoints")
			.addColumn("size", "integer", (column) => column.primaryKey())
			.addColumn("content", "text", (column) => column.notNull())
			.execute();
	},
};

const permits: Migration = {
	async up(db: Kysely<unknown>): Promise<void> {
		await db.schema
			.createTable("permits")
			.addColumn("id", "text", (column) => column.primaryKey())
			.addColumn("name", "text", (column) => column.notNull())
			.addColumn("version", "text", (column) => column.notNull())
			.addColumn("expires", "text", (column) => column.notNull())
			.addColumn("sha256", "text", (column) => column.notNull())
			.addColumn("content", "text", (column) => column.notNull())
			.addColumn("published_at", "text", (column) => column.notNull())
			.addColumn("published_by", "text", (column) => column.notNull())
			.execute();
		await db.schema.createIndex("permits_live").on("permits").columns(["name", "expires"]).execute();
	},
};

const statements: Migration = {
	async up(db: Kysely<unknown>): Promise<void> {
		await db.schema
			.createTable("statements")
			.addColumn("kind", "text", (column) => column.notNull())
			.addColumn("name", "text", (column) => column.notNull())
			.addColumn("id", "text", (column) => column.notNull())
			.addColumn("serial", "integer", (column) => column.notNull())
			.addColumn("expires", "text")
			.addColumn("sha256", "text", (column) => column.notNull())
			.addColumn("content", "text", (column) => column.notNull())
			.addColumn("published_at", "text", (column) => column.notNull())
			.addColumn("published_by", "text", (column) => column.notNull())
			.addPrimaryKeyConstraint("statements_pk", ["kind", "name", "id"])
			.execute();
		// Permits were the first kind of statement, and had a table of their own.
		const columns = ["name", "id", "expires", "sha256", "content", "published_at", "published_by"] as const;
		await db
			.withTables<{ permits: PermitsTable; statements: StatementsTable }>()
			.insertInto("statements")
			.columns(["kind", "serial", ...columns])
			.expression((build) =>
				build
					.selectFrom("permits")
					.select([build.val("permit").as("kind"), build.val(0).as("serial"), ...columns]),
			)
			.execute();
		await db.schema.dropTable("permits").execute();
	},
};

const MIGRATIONS: Readonly<Record<string, Migration>> = {
	"0001-first": first,
	"0002-trust": trust,
	"0003-log": log,
	"0004-permits": permits,
	"0005-statements": statements,
};

/**
 * Brings `db` to the newest schema, atomically, also when several processes try at once.
 *
 * Throws REGISTRY_DATA_NEWER when the database holds a migration that this program does not know.
 */
export async function migrate(db: Kysely<RegistrySchema>): Promise<void> {
	const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } });
	const { error } = await migrator.migrateToLatest();
	if (error === undefined) return;
	if (error instanceof Error && error.message.startsWith("corrupted migrations")) {
		throw new RegistryError("REGISTRY_DATA_NEWER", "the data folder was written by a newer kfn", {
			hint: "run the version of kfn that wrote it, or a later one",
			cause: error,
		});
	}
	throw error;
}
