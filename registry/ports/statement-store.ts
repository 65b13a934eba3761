// Part of the metadata port: published statements, which are DSSE envelopes that publishers sign about a name (permits and their
// like). Promises one statement per kind, name and id at a time. Refuses to know what any of them says: registry/statements/ does.

/** One published statement. A later one of the same kind, name and id takes its place if its serial is higher. */
export interface StatementRecord {
	readonly kind: string;
	/** What it is about; a bundle's name for most kinds. */
	readonly name: string;
	readonly id: string;
	/** Whole number from 0; grows with each successor. */
	readonly serial: number;
	/** `YYYY-MM-DDTHH:MM:SSZ`, from when on it is no longer listed; null for one that stays. */
	readonly expires: string | null;
	/** Of `bytes`. */
	readonly sha256: string;
	/** The envelope, byte for byte as it was published. UTF-8. */
	readonly bytes: Uint8Array;
	/** ISO 8601 UTC, milliseconds. */
	readonly publishedAt: string;
	/** Id of the token that published it. */
	readonly publishedBy: string;
}

export type StatementKey = Pick<StatementRecord, "kind" | "name" | "id">;

export interface StatementReads {
	findStatement(key: StatementKey): Promise<StatementRecord | undefined>;
	/** Those of a kind, of one name unless it is null, that do not expire until after `now`, in byte order of name and id. */
	listStatements(kind: string, name: string | null, now: string): Promise<StatementRecord[]>;
}

export interface StatementWrites {
	/** Compare-and-swap on absence: false, and nothing written, when its kind, name and id are taken. */
	insertStatement(record: StatementRecord): Promise<boolean>;
	/** Compare-and-swap: false, and nothing written, unless the one in its place has `expectedSerial`. */
	replaceStatement(record: StatementRecord, expectedSerial: number): Promise<boolean>;
}
