// The metadata port over Kysely, in SQL that SQLite and PostgreSQL share. Refuses dialects' own syntax:
// what a dialect needs (locks, pragmas, isolation) is set up by whoever opens it.
import { randomBytes } from "node:crypto";
import type { Kysely, Selectable } from "kysely";
import type { LogGrowth, StoredCheckpoint, StoredTile } from "../ports/log-store.ts";
import type {
	AuditRecord,
	MetadataReads,
	MetadataStore,
	MetadataTransaction,
	RoleRecord,
	TokenRecord,
	TrustDocument,
	TrustFile,
	VersionRecord,
} from "../ports/metadata-store.ts";
import type { StatementKey, StatementRecord } from "../ports/statement-store.ts";
import * as log from "./log-rows.ts";
import type { AuditTable, RegistrySchema, TokensTable, VersionsTable } from "./schema.ts";
import * as statements from "./statement-rows.ts";
import * as trust from "./trust-rows.ts";

/** `writer` and `reader` may be one instance (a pool) or two (SQLite: a second connection does not wait for the first). */
export class KyselyMetadataStore implements MetadataStore {
	readonly #writer: Kysely<RegistrySchema>;
	readonly #reader: Kysely<RegistrySchema>;

	constructor(databases: { writer: Kysely<RegistrySchema>; reader: Kysely<RegistrySchema> }) {
		this.#writer = databases.writer;
		this.#reader = databases.reader;
	}

	transaction<T>(work: (tx: MetadataTransaction) => Promise<T>): Promise<T> {
		return this.#writer.transaction().execute((db) => work(new KyselyTransaction(db)));
	}

	read<T>(work: (reads: MetadataReads) => Promise<T>): Promise<T> {
		return this.#reader.transaction().execute((db) => work(new KyselyReads(db)));
	}

	async close(): Promise<void> {
		await this.#reader.destroy();
		if (this.#writer !== this.#reader) await this.#writer.destroy();
	}
}

class KyselyReads implements MetadataReads {
	protected readonly db: Kysely<RegistrySchema>;

	constructor(db: Kysely<RegistrySchema>) {
		this.db = db;
	}

	async findVersion(name: string, version: string): Promise<VersionRecord | undefined> {
		const query = this.db.selectFrom("versions").selectAll();
		const row = await query.where("name", "=", name).where("version", "=", version).executeTakeFirst();
		return row && versionOfRow(row);
	}

	async findDigest(sha256: string): Promise<VersionRecord | undefined> {
		const query = this.db.selectFrom("versions").selectAll();
		const row = await query.where("sha256", "=", sha256).executeTakeFirst();
		return row && versionOfRow(row);
	}

	async listVersions(name: string): Promise<VersionRecord[]> {
		const rows = await this.db.selectFrom("versions").selectAll().where("name", "=", name).execute();
		return rows.map(versionOfRow);
	}

	async listNames(after: string, limit: number): Promise<string[]> {
		const query = this.db.selectFrom("bundles").select("name").where("name", ">", after);
		const rows = await query.orderBy("name").limit(limit).execute();
		return rows.map((row) => row.name);
	}

	async countVersions(): Promise<number> {
		const counted = this.db
			.selectFrom("versions")
			.select((expression) => expression.fn.countAll().as("count"));
		return Number((await counted.executeTakeFirstOrThrow()).count);
	}

	async findToken(id: string): Promise<TokenRecord | undefined> {
		const row = await this.db.selectFrom("tokens").selectAll().where("id", "=", id).executeTakeFirst();
		return row && tokenOfRow(row);
	}

	async findTokenByHash(hash: string): Promise<TokenRecord | undefined> {
		const row = await this.db.selectFrom("tokens").selectAll().where("hash", "=", hash).executeTakeFirst();
		return row && tokenOfRow(row);
	}

	async listTokens(): Promise<TokenRecord[]> {
		const rows = await this.db.selectFrom("tokens").selectAll().orderBy("created_at").orderBy("id").execute();
		return rows.map(tokenOfRow);
	}

	async listAudit(limit: number): Promise<AuditRecord[]> {
		const rows = await this.db.selectFrom("audit").selectAll().orderBy("id", "desc").limit(limit).execute();
		return rows.map(auditOfRow);
	}

	findTrustFile(role: string, version: number): Promise<TrustFile | undefined> {
		return trust.findTrustFile(this.db, role, version);
	}

	currentTrustFile(role: string): Promise<TrustFile | undefined> {
		return trust.currentTrustFile(this.db, role);
	}

	listRoles(): Promise<RoleRecord[]> {
		return trust.listRoles(this.db);
	}

	findDocument(path: string, sha256: string): Promise<TrustDocument | undefined> {
		return trust.findDocument(this.db, path, sha256);
	}

	currentDocument(path: string): Promise<TrustDocument | undefined> {
		return trust.currentDocument(this.db, path);
	}

	newestCheckpoint(): Promise<StoredCheckpoint | undefined> {
		return log.newestCheckpoint(this.db);
	}

	listCheckpoints(): Promise<StoredCheckpoint[]> {
		return log.listCheckpoints(this.db);
	}

	findCheckpoint(size: number): Promise<StoredCheckpoint | undefined> {
		return log.findCheckpoint(this.db, size);
	}

	findLogTile(level: number, index: number): Promise<StoredTile | undefined> {
		return log.findLogTile(this.db, level, index);
	}

	listLogEntries(start: number, limit: number): Promise<Uint8Array[]> {
		return log.listLogEntries(this.db, start, limit);
	}

	findLogIndexes(name: string): Promise<Map<string, number>> {
		return log.findLogIndexes(this.db, name);
	}

	findStatement(key: StatementKey): Promise<StatementRecord | undefined> {
		return statements.findStatement(this.db, key);
	}

	listStatements(kind: string, name: string | null, now: string): Promise<StatementRecord[]> {
		return statements.listStatements(this.db, kind, name, now);
	}
}

class KyselyTransaction extends KyselyReads implements MetadataTransaction {
	async insertVersion(record: VersionRecord): Promise<boolean> {
		await this.db
			.insertInto("bundles")
			.values({ name: record.name })
			.onConflict((conflict) => conflict.column("name").doNothing())
			.execute();
		const result = await this.db
			.insertInto("versions")
			.values(rowOfVersion(record))
			.onConflict((conflict) => conflict.columns(["name", "version"]).doNothing())
			.executeTakeFirst();
		return result.numInsertedOrUpdatedRows === 1n;
	}

	async swapYank(
		key: { name: string; version: string; expectedRevision: number },
		yanked: { at: string; reason: string } | null,
	): Promise<boolean> {
		const result = await this.db
			.updateTable("versions")
			.set({
				yanked_at: yanked?.at ?? null,
				yank_reason: yanked?.reason ?? null,
				revision: key.expectedRevision + 1,
			})
			.where("name", "=", key.name)
			.where("version", "=", key.version)
			.where("revision", "=", key.expectedRevision)
			.executeTakeFirst();
		return result.numUpdatedRows === 1n;
	}

	async insertToken(token: TokenRecord): Promise<void> {
		const { createdAt, expiresAt, revokedAt, verbs, ...same } = token;
		await this.db
			.insertInto("tokens")
			.values({
				...same,
				verbs: JSON.stringify(verbs),
				created_at: createdAt,
				expires_at: expiresAt,
				revoked_at: revokedAt,
			})
			.execute();
	}

	async revokeToken(id: string, at: string): Promise<boolean> {
		const query = this.db.updateTable("tokens").set({ revoked_at: at });
		const result = await query.where("id", "=", id).where("revoked_at", "is", null).executeTakeFirst();
		return result.numUpdatedRows === 1n;
	}

	async appendAudit(record: AuditRecord): Promise<void> {
		const { tokenId, ...same } = record;
		await this.db
			.insertInto("audit")
			.values({ ...same, id: auditId(record.at), token_id: tokenId })
			.execute();
	}

	insertTrustFile(file: TrustFile, at: string): Promise<boolean> {
		return trust.insertTrustFile(this.db, file, at);
	}

	putDocument(document: TrustDocument, at: string): Promise<void> {
		return trust.putDocument(this.db, document, at);
	}

	insertStatement(record: StatementRecord): Promise<boolean> {
		return statements.insertStatement(this.db, record);
	}

	replaceStatement(record: StatementRecord, expectedSerial: number): Promise<boolean> {
		return statements.replaceStatement(this.db, record, expectedSerial);
	}

	pruneTrust(before: string): Promise<number> {
		return trust.pruneTrust(this.db, before);
	}

	growLog(growth: LogGrowth): Promise<boolean> {
		return log.growLog(this.db, growth);
	}

	swapCheckpoint(size: number, expected: Uint8Array, bytes: Uint8Array): Promise<boolean> {
		return log.swapCheckpoint(this.db, size, expected, bytes);
	}

	pruneCheckpoints(size: number, kept: number): Promise<void> {
		return log.pruneCheckpoints(this.db, size, kept);
	}
}

let auditCounter = 0;

// Milliseconds, then a counter for lines of one millisecond, then randomness for several processes.
function auditId(at: string): string {
	auditCounter = (auditCounter + 1) % 2 ** 32;
	const time = Date.parse(at).toString(16).padStart(12, "0");
	return `${time}-${auditCounter.toString(16).padStart(8, "0")}-${randomBytes(4).toString("hex")}`;
}

function rowOfVersion(record: VersionRecord): Selectable<VersionsTable> {
	return {
		name: record.name,
		version: record.version,
		sha256: record.sha256,
		size: record.size,
		manifest_sha256: record.manifestSha256,
		tag: record.tag,
		function_name: record.functionName,
		function_abi: record.functionAbi,
		requires: JSON.stringify(record.requires),
		published_at: record.publishedAt,
		published_by: record.publishedBy,
		yanked_at: record.yankedAt,
		yank_reason: record.yankReason,
		revision: record.revision,
	};
}

function versionOfRow(row: Selectable<VersionsTable>): VersionRecord {
	return {
		name: row.name,
		version: row.version,
		sha256: row.sha256,
		size: row.size,
		manifestSha256: row.manifest_sha256,
		tag: row.tag,
		functionName: row.function_name,
		functionAbi: row.function_abi,
		requires: JSON.parse(row.requires) as VersionRecord["requires"],
		publishedAt: row.published_at,
		publishedBy: row.published_by,
		yankedAt: row.yanked_at,
		yankReason: row.yank_reason,
		revision: row.revision,
	};
}

function tokenOfRow(row: Selectable<TokensTable>): TokenRecord {
	return {
		id: row.id,
		hash: row.hash,
		label: row.label,
		names: row.names,
		verbs: JSON.parse(row.verbs) as TokenRecord["verbs"],
		createdAt: row.created_at,
		expiresAt: row.expires_at,
		revokedAt: row.revoked_at,
	};
}

function auditOfRow(row: Selectable<AuditTable>): AuditRecord {
	return {
		at: row.at,
		tokenId: row.token_id,
		verb: row.verb as AuditRecord["verb"],
		name: row.name,
		version: row.version,
		sha256: row.sha256,
		outcome: row.outcome,
	};
}
