// The closed list of ways in which a bundle is refused. Holds no logic: a code, an exit code, what it means.

export const BUNDLE_ERRORS = {
	BUNDLE_BOMB: { exit: 3, means: "the archive would expand beyond the allowed ratio" },
	BUNDLE_BUILD_FLAG: {
		exit: 3,
		means: "the build record holds a compiler flag that is not on the allowed list",
	},
	BUNDLE_CONFIG_INVALID: { exit: 1, means: "a config value is not of the type that the manifest declares" },
	BUNDLE_CONFIG_TOO_MANY: { exit: 1, means: "a list has more elements than the program has places for" },
	BUNDLE_CORRUPT: { exit: 1, means: "the archive's compressed stream or a header checksum is damaged" },
	BUNDLE_DIGEST_INVALID: { exit: 1, means: "a text is not a sha256 digest in 64 lowercase hex digits" },
	BUNDLE_DUPLICATE_ENTRY: { exit: 3, means: "the archive holds two entries of one path" },
	BUNDLE_ELF_INVALID: { exit: 1, means: "an object is not a well-formed BPF ELF file" },
	BUNDLE_ELF_MISMATCH: { exit: 3, means: "an object and the manifest disagree" },
	BUNDLE_FILE_DIGEST: { exit: 3, means: "a file's bytes are not those that the manifest names" },
	BUNDLE_KERNEL_RANGE_INVALID: { exit: 1, means: "requires.kernel is not a range like `>=5.10 <7.0`" },
	BUNDLE_LICENCE_MISMATCH: {
		exit: 1,
		means: "an object's license string does not fit the manifest's license",
	},
	BUNDLE_MANIFEST_INVALID: { exit: 1, means: "the manifest breaks the schema or one of its rules" },
	BUNDLE_MANIFEST_NOT_CANONICAL: {
		exit: 3,
		means: "the manifest is not written in its one canonical spelling",
	},
	BUNDLE_MAP_UNSUPPORTED: {
		exit: 1,
		means: "an object has a map, data or an extern that functions may not have",
	},
	BUNDLE_MISSING_ENTRY: { exit: 1, means: "a file that must be in the archive is not there" },
	BUNDLE_NAME_INVALID: { exit: 2, means: "a text is not a bundle name" },
	BUNDLE_NOTE_INVALID: { exit: 1, means: "an object's .note.kfn is malformed" },
	BUNDLE_NOT_A_BUNDLE: { exit: 1, means: "the bytes are not a zstd frame as kfn writes it" },
	BUNDLE_NOT_DETERMINISTIC: {
		exit: 1,
		means: "the tar holds a field, an order or padding that kfn never writes",
	},
	BUNDLE_PACKAGE_INVALID: { exit: 1, means: "kfn.package.json breaks the schema or one of its rules" },
	BUNDLE_PATH_ESCAPE: { exit: 3, means: "a path points outside the bundle" },
	BUNDLE_PATH_INVALID: {
		exit: 1,
		means: "a path uses characters, a length or a place that bundles do not allow",
	},
	BUNDLE_SYMLINK: {
		exit: 3,
		means: "an archive entry is not a regular file (link, folder, device, extension)",
	},
	BUNDLE_TAG_INVALID: { exit: 1, means: "a text is not a tag: `kfn1:` and 64 lowercase hex digits" },
	BUNDLE_TAG_MISMATCH: { exit: 3, means: "the tag is not the one that the sources give" },
	BUNDLE_TOO_LARGE: { exit: 3, means: "a size limit of the format is exceeded" },
	BUNDLE_TRAILING_DATA: { exit: 3, means: "bytes follow the end of the archive" },
	BUNDLE_TRUNCATED: { exit: 1, means: "the archive ends too early" },
	BUNDLE_UNNAMED_ENTRY: { exit: 3, means: "the archive holds a file that the manifest does not name" },
	BUNDLE_VECTORS_INVALID: { exit: 1, means: "a test vector file is malformed or does not fit the programs" },
	BUNDLE_VERSION_INVALID: { exit: 2, means: "a text is not a semantic version" },
} as const satisfies Record<string, { exit: 1 | 2 | 3 | 70; means: string }>;

export type BundleErrorCode = keyof typeof BUNDLE_ERRORS;

export interface BundleErrorOptions {
	hint?: string;
	details?: Readonly<Record<string, unknown>>;
	cause?: unknown;
}

/** The only error that this folder throws for bad input; callers compare `code`. */
export class BundleError extends Error {
	override readonly name = "BundleError";
	readonly code: BundleErrorCode;
	readonly hint: string | undefined;
	readonly details: Readonly<Record<string, unknown>>;

	constructor(code: BundleErrorCode, message: string, options: BundleErrorOptions = {}) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.code = code;
		this.hint = options.hint;
		this.details = options.details ?? {};
	}

	get exit(): 1 | 2 | 3 | 70 {
		return BUNDLE_ERRORS[this.code].exit;
	}
}
