// Port of the registry's metadata: what was published, tokens, audit, trust. Promises transactions and compare-and-swap.
// Refuses to know SQL, files or HTTP. The contract suite beside it runs on every adapter.
import type { LogReads, LogWrites } from "./log-store.ts";
import type { StatementReads, StatementWrites } from "./statement-store.ts";

/** One published version. All fields but the last three never change once inserted. */
export interface VersionRecord {
	readonly name: string;
	readonly version: string;
	readonly sha256: string;
	readonly size: number;
	readonly manifestSha256: string;
	readonly tag: string;
	readonly functionName: string;
	readonly functionAbi: number;
	readonly requires: readonly { readonly kernel: string; readonly features: readonly string[] }[];
	readonly publishedAt: string;
	/** Id of the token that published it. */
	readonly publishedBy: string;
	readonly yankedAt: string | null;
	readonly yankReason: string | null;
	/** Grows by one with every change of this record; the expected value of compare-and-swap. */
	readonly revision: number;
}

export type TokenVerb = "publish" | "yank" | "read";

/** A token as stored: never its text, only the sha256 of it. Times are ISO 8601 UTC. */
export interface TokenRecord {
	readonly id: string;
	readonly hash: string;
	readonly label: string;
	/** One pattern: a literal name, or a prefix that ends in one `*`. */
	readonly names: string;
	readonly verbs: readonly TokenVerb[];
	readonly createdAt: string;
	readonly expiresAt: string;
	readonly revokedAt: string | null;
}

/** One line of the audit log: who did what to which version, and how it ended. */
export interface AuditRecord {
	readonly at: string;
	/** The acting token; null when the admin acted on the data folder itself. */
	readonly tokenId: string | null;
	readonly verb: "publish" | "yank" | "unyank" | "statement" | "token-create" | "token-revoke";
	readonly name: string | null;
	readonly version: string | null;
	readonly sha256: string | null;
	/** "created", "same", "done", the id of the token concerned, or an error code. */
	readonly outcome: string;
}

/** One file of TUF metadata, byte for byte as it is served. The highest version of a role is its current one. */
export interface TrustFile {
	/** `root`, `targets`, `snapshot`, `timestamp`, or the name of a bin. */
	readonly role: string;
	readonly version: number;
	/** As the file says it: `YYYY-MM-DDTHH:MM:SSZ`. */
	readonly expires: string;
	/** UTF-8. */
	readonly bytes: Uint8Array;
}

/** What is known of a role without reading its file. */
export type RoleRecord = Omit<TrustFile, "bytes">;

/** A target file that is no archive (an index, the authorisation map), byte for byte as it is served. */
export interface TrustDocument {
	/** The target path. */
	readonly path: string;
	readonly sha256: string;
	/** UTF-8. */
	readonly bytes: Uint8Array;
}

/** What one consistent view of the metadata answers. An instance is dead once its transaction ended. */
export interface MetadataReads extends LogReads, StatementReads {
	findVersion(name: string, version: string): Promise<VersionRecord | undefined>;
	findDigest(sha256: string): Promise<VersionRecord | undefined>;
	/** All versions of a name, in no promised order. */
	listVersions(name: string): Promise<VersionRecord[]>;
	/** Names greater than `after`, in byte order, at most `limit`. */
	listNames(after: string, limit: number): Promise<string[]>;
	countVersions(): Promise<number>;
	findToken(id: string): Promise<TokenRecord | undefined>;
	findTokenByHash(hash: string): Promise<TokenRecord | undefined>;
	/** Oldest first. */
	listTokens(): Promise<TokenRecord[]>;
	/** Newest first. */
	listAudit(limit: number): Promise<AuditRecord[]>;
	/** Also one that was superseded, until it is pruned. */
	findTrustFile(role: string, version: number): Promise<TrustFile | undefined>;
	currentTrustFile(role: string): Promise<TrustFile | undefined>;
	/** The current version of every role, in byte order of the names. */
	listRoles(): Promise<RoleRecord[]>;
	/** Also one that was superseded, until it is pruned. */
	findDocument(path: string, sha256: string): Promise<TrustDocument | undefined>;
	currentDocument(path: string): Promise<TrustDocument | undefined>;
}

/** The reads and writes of one transaction: all of them happen, or none does. Reads see the transaction's own writes. */
export interface MetadataTransaction extends MetadataReads, LogWrites, StatementWrites {
	/** Compare-and-swap on absence: false, and nothing written, when the name has this version already. */
	insertVersion(record: VersionRecord): Promise<boolean>;
	/** Compare-and-swap: false, and nothing written, when the record's revision is not `expectedRevision`. */
	swapYank(
		key: { name: string; version: string; expectedRevision: number },
		yanked: { at: string; reason: string } | null,
	): Promise<boolean>;
	insertToken(token: TokenRecord): Promise<void>;
	/** Compare-and-swap on "not yet revoked": false when the token is unknown or was revoked before. */
	revokeToken(id: string, at: string): Promise<boolean>;
	appendAudit(record: AuditRecord): Promise<void>;
	/**
	 * Compare-and-swap on absence: false, and nothing written, when the role has this version already. The versions before
	 * count as superseded since `at`.
	 */
	insertTrustFile(file: TrustFile, at: string): Promise<boolean>;
	/** Makes it the current document of its path; another one before it counts as superseded since `at`. */
	putDocument(document: TrustDocument, at: string): Promise<void>;
	/**
	 * Removes what was superseded before `before`: documents, and files of all roles but root and targets, of which every
	 * version is kept. Says how many it removed.
	 */
	pruneTrust(before: string): Promise<number>;
}

/**
 * Durable, transactional metadata.
 *
 * When `transaction` resolves, the writes survive a power cut. When it rejects, they did not happen, with one
 * exception that every caller must survive: a failing commit may have been written.
 * `work` may run other I/O, but must not open a second transaction.
 */
export interface MetadataStore {
	transaction<T>(work: (tx: MetadataTransaction) => Promise<T>): Promise<T>;
	/** One consistent view for work that only reads; does not wait for a transaction under way. */
	read<T>(work: (reads: MetadataReads) => Promise<T>): Promise<T>;
	close(): Promise<void>;
}
