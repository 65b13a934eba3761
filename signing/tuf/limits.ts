// How much of a repository a client reads. Refuses nothing itself.

/** Bytes, the most of one file; what a signed file says of the next one's length only lowers it (TUF 1.0.34 §5.3.3, 5.4.1, 5.5.1, 5.6.1). */
export const ROLE_LIMITS = {
	root: 512_000,
	timestamp: 16_384,
	snapshot: 2_000_000,
	targets: 5_000_000,
} as const;

/** Bytes, the most of one target: an archive's, which is the largest. What lists targets is signed by online keys, and a thief's. */
export const TARGET_LIMIT = 16 * 1024 * 1024;
