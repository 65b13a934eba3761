// Kysely dialect over node:sqlite: one connection, immediate transactions, prepared statements kept.
// Refuses to hold queries or a schema; everything SQLite-only lives here and in open-sqlite.ts.
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import {
	type CompiledQuery,
	type DatabaseConnection,
	type DatabaseIntrospector,
	type Dialect,
	type DialectAdapter,
	type Driver,
	type Kysely,
	type QueryCompiler,
	type QueryResult,
	SqliteAdapter,
	SqliteIntrospector,
	SqliteQueryCompiler,
} from "kysely";
import { RegistryError } from "../api/errors.ts";

const MAX_KEPT_STATEMENTS = 256;
// Another process (an admin who makes a token) holds the write lock for milliseconds.
const LOCK_WAIT_MS = 5_000;
const LOCK_RETRY_MS = 5;

export interface NodeSqliteOptions {
	/** "immediate" takes the write lock at once, so that no transaction fails half-way on a lock it asks for too late. */
	readonly begin: "immediate" | "deferred";
}

export class NodeSqliteDialect implements Dialect {
	readonly #database: DatabaseSync;
	readonly #options: NodeSqliteOptions;

	/** Takes ownership of `database`: destroying the Kysely instance closes it. A writer's has a timeout of 0: waiting is done here. */
	constructor(database: DatabaseSync, options: NodeSqliteOptions) {
		this.#database = database;
		this.#options = options;
	}

	createDriver(): Driver {
		return new NodeSqliteDriver(this.#database, this.#options);
	}

	createQueryCompiler(): QueryCompiler {
		return new SqliteQueryCompiler();
	}

	createAdapter(): DialectAdapter {
		return new TransactionalDdlAdapter();
	}

	createIntrospector(db: Kysely<never>): DatabaseIntrospector {
		return new SqliteIntrospector(db);
	}
}

// Kysely denies SQLite transactional DDL, but SQLite has it, and without it two processes that create
// the same data folder at once would run each other's migrations.
class TransactionalDdlAdapter extends SqliteAdapter {
	override get supportsTransactionalDdl(): boolean {
		return true;
	}
}

// Kysely's runtime hands the one connection to one user at a time, because SqliteAdapter says that there is only one.
class NodeSqliteDriver implements Driver {
	readonly #database: DatabaseSync;
	readonly #connection: NodeSqliteConnection;
	readonly #begin: string;

	constructor(database: DatabaseSync, options: NodeSqliteOptions) {
		this.#database = database;
		this.#connection = new NodeSqliteConnection(database);
		this.#begin = options.begin === "immediate" ? "begin immediate" : "begin";
	}

	async init(): Promise<void> {}

	async acquireConnection(): Promise<DatabaseConnection> {
		return this.#connection;
	}

	async releaseConnection(): Promise<void> {}

	beginTransaction(): Promise<void> {
		return retryWhileBusy(() => this.#database.exec(this.#begin));
	}

	async commitTransaction(): Promise<void> {
		this.#database.exec("commit");
	}

	// SQLite ends some transactions by itself (a full disk); a second rollback would hide the first error.
	async rollbackTransaction(): Promise<void> {
		if (this.#database.isTransaction) this.#database.exec("rollback");
	}

	async destroy(): Promise<void> {
		this.#connection.forget();
		this.#database.close();
	}
}

// SQLite's own waiting would hold the whole process: requests, and the very transaction that is waited for if it is ours.
async function retryWhileBusy<T>(attempt: () => T): Promise<T> {
	for (let waited = 0; ; waited += LOCK_RETRY_MS) {
		try {
			return attempt();
		} catch (cause) {
			if (!isBusy(cause)) throw cause;
			if (waited >= LOCK_WAIT_MS) {
				const message = "another process holds the metadata store";
				throw new RegistryError("REGISTRY_BUSY", message, { hint: "try again", cause });
			}
		}
		await delay(LOCK_RETRY_MS);
	}
}

function isBusy(error: unknown): boolean {
	const SQLITE_BUSY = 5;
	return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}

class NodeSqliteConnection implements DatabaseConnection {
	readonly #database: DatabaseSync;
	readonly #statements = new Map<string, StatementSync>();

	constructor(database: DatabaseSync) {
		this.#database = database;
	}

	async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
		// Inside a transaction the lock is ours; outside (the first steps of a migration) another process may have it.
		return this.#database.isTransaction ? this.#run(query) : retryWhileBusy(() => this.#run(query));
	}

	#run<R>(query: CompiledQuery): QueryResult<R> {
		const statement = this.#prepare(query.sql);
		const parameters = query.parameters as readonly SQLInputValue[];
		if (statement.columns().length > 0) return { rows: statement.all(...parameters) as R[] };
		const { changes, lastInsertRowid } = statement.run(...parameters);
		return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
	}

	async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
		yield await this.executeQuery<R>(query);
	}

	forget(): void {
		this.#statements.clear();
	}

	#prepare(sql: string): StatementSync {
		const kept = this.#statements.get(sql);
		if (kept !== undefined) return kept;
		const statement = this.#database.prepare(sql);
		if (this.#statements.size >= MAX_KEPT_STATEMENTS) this.#statements.clear();
		this.#statements.set(sql, statement);
		return statement;
	}
}
