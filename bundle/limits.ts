// The limits of the format, in one place. A reader that allows more is wrong; nothing is enforced here.

const MiB = 1024 * 1024;

/** Sizes in bytes (docs/formats/bundle.md, "Limits"). */
export const LIMITS = {
	archiveBytes: 16 * MiB,
	totalBytes: 64 * MiB,
	entryBytes: 16 * MiB,
	entries: 1024,
	/** A ustar name field holds exactly this many. */
	pathBytes: 100,
	/** Expanded ÷ compressed; not applied to what expands to `ratioFloorBytes` or less. */
	ratio: 200,
	ratioFloorBytes: MiB,
	windowLog: 23,
	manifestBytes: MiB,
	signatureBytes: 32 * 1024,
	kernelSignatureBytes: 32 * 1024,
	vectors: 4096,
	maps: 8,
	mapEntries: 65536,
	mapBytes: 16 * MiB,
	mapValueBytes: 256 * 1024,
	/** What the kernel's per-CPU allocator gives at once (PCPU_MIN_UNIT_SIZE). */
	perCpuMapValueBytes: 32 * 1024,
} as const;
