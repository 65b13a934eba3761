// Tables of the metadata store as Kysely sees them. Text and integers only, so that every dialect can hold them;
// refuses to hold queries. Lists are JSON text, times are ISO 8601 UTC text.
export interface BundlesTable {
	name: string;
}

export interface VersionsTable {
	name: string;
	version: string;
	sha256: string;
	size: number;
	manifest_sha256: string;
	tag: string;
	function_name: string;
	function_abi: number;
	requires: string;
	published_at: string;
	published_by: string;
	yanked_at: string | null;
	yank_reason: string | null;
	revision: number;
}

export interface TokensTable {
	id: string;
	hash: string;
	label: string;
	names: string;
	verbs: string;
	created_at: string;
	expires_at: string;
	revoked_at: string | null;
}

export interface AuditTable {
	/** Time-ordered, made by the store: no dialect's auto-increment. */
	id: string;
	at: string;
	token_id: string | null;
	verb: string;
	name: string | null;
	version: string | null;
	sha256: string | null;
	outcome: string;
}

export interface TrustFilesTable {
	role: string;
	version: number;
	expires: string;
	/** Null for the current version. */
	superseded_at: string | null;
	/** The file itself, as text: canonical JSON is UTF-8. Last, so that reading the others does not walk over it. */
	content: string;
}

export interface DocumentsTable {
	path: string;
	sha256: string;
	/** Null for the current one of its path. */
	superseded_at: string | null;
	content: string;
}

export interface LogEntriesTable {
	/** From 0, without gaps. */
	number: number;
	/** The version that the entry publishes; null for other kinds of entries. */
	published_name: string | null;
	published_version: string | null;
	content: string;
}

export interface LogTilesTable {
	level: number;
	number: number;
	/** All hashes so far, in hexadecimal. */
	hashes: string;
}

export interface LogCheckpointsTable {
	size: number;
	content: string;
}

export interface StatementsTable {
	kind: string;
	name: string;
	id: string;
	serial: number;
	/** Null for one that stays listed. */
	expires: string | null;
	sha256: string;
	content: string;
	published_at: string;
	published_by: string;
}

export interface RegistrySchema {
	bundles: BundlesTable;
	versions: VersionsTable;
	tokens: TokensTable;
	audit: AuditTable;
	trust_files: TrustFilesTable;
	documents: DocumentsTable;
	log_entries: LogEntriesTable;
	log_tiles: LogTilesTable;
	log_checkpoints: LogCheckpointsTable;
	statements: StatementsTable;
}
