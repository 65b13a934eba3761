// Part of the metadata port: published rollback permits. Promises that an id means one permit for ever. Refuses to know
// what a permit is: ops/publish-permit.ts verifies them.

/** One published permit; nothing of it ever changes. Times as the permit spells them: `YYYY-MM-DDTHH:MM:SSZ`. */
export interface PermitRecord {
	readonly id: string;
	/** The bundle's name. */
	readonly name: string;
	/** The version that it lets hosts go to. */
	readonly version: string;
	readonly expires: string;
	/** Of `bytes`. */
	readonly sha256: string;
	/** The envelope, byte for byte as it was published. UTF-8. */
	readonly bytes: Uint8Array;
	/** ISO 8601 UTC, milliseconds. */
	readonly publishedAt: string;
	/** Id of the token that published it. */
	readonly publishedBy: string;
}

export interface PermitReads {
	findPermit(id: string): Promise<PermitRecord | undefined>;
	/** Those of a name that expire after `now`, in byte order of their ids. */
	listPermits(name: string, now: string): Promise<PermitRecord[]>;
}

export interface PermitWrites {
	/** Compare-and-swap on absence: false, and nothing written, when the id is taken. */
	insertPermit(record: PermitRecord): Promise<boolean>;
}
