// The registry's closed list of error codes, with exit code and HTTP status, and the one class that carries them.
// Client-safe: refuses to know anything about servers, stores or other folders.

/** `status` is what the HTTP API answers; null means that the code never travels over HTTP. */
export const REGISTRY_ERRORS = {
	REGISTRY_REQUEST_INVALID: {
		exit: 1,
		status: 400,
		means: "a name, version, digest, parameter or JSON body is malformed",
	},
	REGISTRY_UPLOAD_INTERRUPTED: { exit: 1, status: 400, means: "the body ended before it was complete" },
	REGISTRY_BUNDLE_REFUSED: {
		exit: 3,
		status: 400,
		means: "the uploaded archive is not a valid bundle; details.bundleCode says why",
	},
	REGISTRY_BUNDLE_MISMATCH: {
		exit: 3,
		status: 400,
		means: "the manifest's name or version is not the one in the URL",
	},
	REGISTRY_SIGNATURE_MISSING: {
		exit: 3,
		status: 400,
		means: "the bundle's signature file is malformed or lists no signature",
	},
	REGISTRY_TOKEN_MISSING: { exit: 1, status: 401, means: "the request needs a token and carries none" },
	REGISTRY_TOKEN_INVALID: {
		exit: 1,
		status: 401,
		means: "the token is malformed or unknown to this registry",
	},
	REGISTRY_TOKEN_EXPIRED: { exit: 1, status: 401, means: "the token's expiry time has passed" },
	REGISTRY_TOKEN_REVOKED: { exit: 1, status: 401, means: "the token was revoked" },
	REGISTRY_TOKEN_SCOPE: { exit: 1, status: 403, means: "the token does not allow this verb on this name" },
	REGISTRY_UNAUTHORISED: {
		exit: 3,
		status: 403,
		means:
			"the upload is not signed as the registry's authorisation map asks for; details.signatureCode says why",
	},
	REGISTRY_STATEMENT_REFUSED: {
		exit: 3,
		status: 400,
		means: "the body is no statement of its kind that counts now; details.statementCode says why",
	},
	REGISTRY_STATEMENT_EXISTS: {
		exit: 1,
		status: 409,
		means: "another statement is published under this id, and this one does not come after it",
	},
	REGISTRY_NOT_FOUND: { exit: 1, status: 404, means: "no such bundle, version, digest or path" },
	REGISTRY_REQUEST_TIMEOUT: {
		exit: 1,
		status: 408,
		means: "the request was not complete within the server's time limit",
	},
	REGISTRY_VERSION_EXISTS: {
		exit: 1,
		status: 409,
		means: "the version is already published with other bytes",
	},
	REGISTRY_TOO_LARGE: { exit: 1, status: 413, means: "the body is larger than the format allows" },
	REGISTRY_MEDIA_TYPE: {
		exit: 1,
		status: 415,
		means: "the body's content type is not the one that the operation takes",
	},
	REGISTRY_HEADERS_TOO_LARGE: {
		exit: 1,
		status: 431,
		means: "the request's headers exceed the server's limit",
	},
	REGISTRY_INTERNAL: {
		exit: 70,
		status: 500,
		means: "the registry failed; the cause is in its log, not in the answer",
	},
	REGISTRY_BUSY: { exit: 1, status: 503, means: "the registry has too much to do at this moment" },
	REGISTRY_BLOB_CORRUPT: {
		exit: 3,
		status: 503,
		means: "the stored bytes no longer match their digest and are not served",
	},
	REGISTRY_COSIGNATURE_REFUSED: {
		exit: 3,
		status: 400,
		means: "the body is not a checkpoint with a valid cosignature of a witness that the registry names",
	},
	REGISTRY_CHECKPOINT_UNKNOWN: {
		exit: 1,
		status: 409,
		means: "the cosigned checkpoint is not one that the log keeps",
	},
	REGISTRY_LOG_DAMAGED: {
		exit: 3,
		status: 503,
		means: "the stored log is not the one that its last checkpoint states; nothing is added to it",
	},
	REGISTRY_NOT_INITIALISED: {
		exit: 1,
		status: null,
		means: "the data folder has no trust metadata, and without it nothing is served",
	},
	REGISTRY_ALREADY_INITIALISED: {
		exit: 1,
		status: null,
		means: "the data folder has trust metadata or online keys already",
	},
	REGISTRY_KEYS_UNUSABLE: {
		exit: 3,
		status: null,
		means: "the online keys are missing, malformed, readable by others, or not those that the metadata names",
	},
	REGISTRY_DRAFT_NONE: {
		exit: 1,
		status: null,
		means: "no draft of root or targets metadata waits in the data folder",
	},
	REGISTRY_DRAFT_OVERTAKEN: {
		exit: 1,
		status: null,
		means: "the draft follows another version of root or targets than the live one",
	},
	REGISTRY_DRAFT_FOREIGN: {
		exit: 3,
		status: null,
		means: "the draft follows metadata of the live version's number with another content",
	},
	REGISTRY_DRAFT_INCOMPLETE: {
		exit: 1,
		status: null,
		means: "a draft is not signed by enough of the keys that must sign it",
	},
	REGISTRY_DRAFT_UNSEEN: {
		exit: 1,
		status: null,
		means: "a change with keys would sign a draft that waits, and that they have not signed yet",
	},
	REGISTRY_DRAFT_BUSY: { exit: 1, status: null, means: "another command changes the registry's drafts" },
	REGISTRY_PUBLISHER_UNKNOWN: {
		exit: 1,
		status: null,
		means: "the authorisation map has no such name or key",
	},
	REGISTRY_PUBLISHER_THRESHOLD: {
		exit: 1,
		status: null,
		means: "a publisher would have fewer keys than its threshold",
	},
	REGISTRY_VENDOR_UNKNOWN: {
		exit: 1,
		status: null,
		means: "the map of vendors has no such hardware or key",
	},
	REGISTRY_VENDOR_THRESHOLD: {
		exit: 1,
		status: null,
		means: "a vendor would have fewer keys than its threshold",
	},
	REGISTRY_KEEP_UNKNOWN: {
		exit: 1,
		status: null,
		means: "a version that a revocation is to keep is not published, or not signed by the key",
	},
	REGISTRY_METADATA_EXPIRED: {
		exit: 1,
		status: 503,
		means: "metadata that this registry serves has expired, and no host takes it; details.trust says which",
	},
	REGISTRY_TOKEN_UNKNOWN: { exit: 1, status: null, means: "no token has this id" },
	REGISTRY_TOKEN_REFUSED: { exit: 2, status: null, means: "a token cannot be made from these values" },
	REGISTRY_DATA_IN_USE: { exit: 1, status: null, means: "another server already serves this data folder" },
	REGISTRY_DATA_NEWER: { exit: 1, status: null, means: "the data folder was written by a newer kfn" },
	REGISTRY_LISTEN_FAILED: { exit: 1, status: null, means: "the address cannot be listened on" },
} as const satisfies Record<string, { exit: 1 | 2 | 3 | 70; status: number | null; means: string }>;

export type RegistryErrorCode = keyof typeof REGISTRY_ERRORS;

export interface RegistryErrorOptions {
	readonly hint?: string | undefined;
	readonly details?: Readonly<Record<string, unknown>> | undefined;
	readonly cause?: unknown;
}

/** The only error that the registry's operations throw on purpose. Message and hint are plain text, safe to print. */
export class RegistryError extends Error {
	readonly code: RegistryErrorCode;
	readonly hint: string | undefined;
	readonly details: Readonly<Record<string, unknown>>;

	constructor(code: RegistryErrorCode, message: string, options: RegistryErrorOptions = {}) {
		super(plain(message), options.cause === undefined ? undefined : { cause: options.cause });
		this.name = "RegistryError";
		this.code = code;
		this.hint = options.hint === undefined ? undefined : plain(options.hint);
		this.details = options.details ?? {};
	}

	get exit(): 1 | 2 | 3 | 70 {
		return REGISTRY_ERRORS[this.code].exit;
	}

	/** HTTP status; a code that has none is answered as 500. */
	get status(): number {
		return REGISTRY_ERRORS[this.code].status ?? 500;
	}
}

/** True for a code of this list; what a client asks before it trusts the `code` of an answer. */
export function isRegistryErrorCode(text: string): text is RegistryErrorCode {
	return Object.hasOwn(REGISTRY_ERRORS, text);
}

// Text from outside reaches terminals and logs through messages: control and bidi characters could repaint them.
function plain(text: string): string {
	return text
		.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, " ")
		.slice(0, 500);
}
