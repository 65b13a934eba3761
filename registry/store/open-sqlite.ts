// Opens the metadata store in one SQLite file: WAL, every commit fsynced, one writing and one reading connection.
// Refuses to hold queries; the only place besides the dialect that knows SQLite.
import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Kysely, sql } from "kysely";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { KyselyMetadataStore } from "./kysely-metadata-store.ts";
import { migrate } from "./migrations.ts";
import { NodeSqliteDialect } from "./node-sqlite-dialect.ts";
import type { RegistrySchema } from "./schema.ts";

const OPENING_WAIT_MS = 2_000;

/** Opens or creates the store at `file`, brings its schema up to date, and answers a port that owns both connections. */
export async function openSqliteMetadataStore(file: string): Promise<MetadataStore> {
	const writer = new Kysely<RegistrySchema>({
		dialect: new NodeSqliteDialect(openDatabase(file, { readOnly: false }), { begin: "immediate" }),
	});
	try {
		// Token hashes are no secrets by themselves, but who published what is nobody else's business.
		chmodSync(file, 0o600);
		await migrate(writer);
		const reader = new Kysely<RegistrySchema>({
			dialect: new NodeSqliteDialect(openDatabase(file, { readOnly: true }), { begin: "deferred" }),
		});
		// Kysely only closes what it has used.
		await sql`select 1`.execute(reader);
		return new KyselyMetadataStore({ writer, reader });
	} catch (error) {
		await writer.destroy();
		throw error;
	}
}

function openDatabase(file: string, options: { readOnly: boolean }): DatabaseSync {
	// A reader of a WAL never waits for a writer, only for the instant in which another process opens or closes the file.
	const timeout = options.readOnly ? OPENING_WAIT_MS : 0;
	const database = new DatabaseSync(file, { readOnly: options.readOnly, timeout });
	if (!options.readOnly) {
		// Changing the mode of a new file takes a lock that another process may want in the same moment.
		database.exec(`pragma busy_timeout = ${OPENING_WAIT_MS}`);
		database.exec("pragma journal_mode = wal");
		database.exec("pragma busy_timeout = 0");
		database.exec("pragma synchronous = full");
	}
	return database;
}
