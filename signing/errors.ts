// Every error of signing/ with its exit code, and the one class that carries them. Refuses to carry secrets:
// no message or detail ever holds a seed, a passphrase or a derived key.

/** The closed table of codes; `exit` is the process's exit code (1 refused, 2 usage, 3 security). */
export const SIGNING_ERRORS = {
	SIGNATURE_MISSING: { exit: 3, means: "the signature file lists no signature" },
	SIGNATURE_UNKNOWN_KEY: {
		exit: 3,
		means: "a listed signature is of a key that its publisher does not have",
	},
	SIGNATURE_INVALID: { exit: 3, means: "a listed signature does not fit the bytes and its key" },
	SIGNATURE_REPEATED: { exit: 3, means: "a key is listed twice among the signatures" },
	SIGNATURE_THRESHOLD: {
		exit: 3,
		means: "fewer distinct keys signed than the publisher's threshold asks for",
	},
	SIGNATURE_MALFORMED: { exit: 3, means: "the signature file is not in its one canonical spelling" },
	SIGNATURE_TOO_MANY: { exit: 1, means: "one more signature would not fit into the signature file" },
	PUBLISHERS_MALFORMED: { exit: 3, means: "the file of trusted publishers breaks its format" },
	PUBLISHERS_NO_MATCH: { exit: 3, means: "no trusted publisher may sign this name" },
	SIGNATURE_REVOKED_KEY: {
		exit: 3,
		means: "a listed signature is of a revoked key, whose publisher does not vouch for this manifest",
	},
	PERMIT_MALFORMED: { exit: 3, means: "the rollback permit breaks its format" },
	PERMIT_EXPIRED: { exit: 3, means: "the rollback permit has expired" },
	PERMIT_NOT_YET: { exit: 3, means: "the rollback permit is issued in the future" },
	PERMIT_SCOPE: {
		exit: 3,
		means: "the rollback permit is for another name, another step or another manifest than this",
	},
	CHANNEL_MALFORMED: { exit: 3, means: "the channel pointer breaks its format" },
	CHANNEL_SCOPE: {
		exit: 3,
		means: "the channel pointer is of another name, or names another manifest than the registry has",
	},
	CHANNEL_REPLAYED: {
		exit: 3,
		means: "a later pointer of this channel was seen before, or another one with this serial",
	},
	REVOCATION_MALFORMED: { exit: 3, means: "the revocation breaks its format" },
	RECALL_LIST_MALFORMED: { exit: 3, means: "the registry's recall list breaks its format" },
	RECALL_LIST_ROLLBACK: { exit: 3, means: "the registry shows an older recall list than this host has seen" },
	RECALL_LIST_NOT_YET: { exit: 3, means: "the registry's recall list is issued in the future" },
	RECALL_LIST_EXPIRED: {
		exit: 3,
		means: "the registry's recall list has expired: a recall may be withheld",
	},
	REVOCATION_NAME: { exit: 3, means: "the revocation is of another bundle name" },
	VENDORS_MALFORMED: { exit: 3, means: "the map of vendors breaks its format" },
	VENDORS_NO_MATCH: { exit: 3, means: "no trusted vendor may say what this hardware runs" },
	CATALOGUE_MALFORMED: { exit: 3, means: "the catalogue breaks its format" },
	CATALOGUE_EXPIRED: { exit: 3, means: "the catalogue has expired" },
	CATALOGUE_NOT_YET: { exit: 3, means: "the catalogue is issued in the future" },
	CATALOGUE_FOREIGN: {
		exit: 3,
		means: "the catalogue is signed by keys that are trusted for other hardware only",
	},
	CATALOGUE_ISSUER: { exit: 3, means: "the catalogue's issuer is not the one that its devices belong to" },
	CATALOGUE_DEVICE: { exit: 1, means: "the catalogue is not of this device" },
	ADVISORY_MALFORMED: { exit: 3, means: "the advisory breaks its format or the OSV schema" },
	ADVISORY_SCOPE: { exit: 3, means: "the advisory speaks for other bundle names than this" },
	ADVISORY_NOT_YET: { exit: 3, means: "the advisory is dated in the future" },
	ADVISORY_REPLAYED: {
		exit: 3,
		means: "the registry shows an older or another document of an advisory than this host has verified",
	},
	ADVISORY_WITHHELD: {
		exit: 3,
		means: "the registry does not list an advisory that this host has verified",
	},
	CHANNEL_WITHHELD: { exit: 3, means: "the registry does not show a channel pointer that was seen before" },
	TRUST_EXPIRED: {
		exit: 3,
		means: "the registry's metadata has expired: it is withheld, or nobody renews it",
	},
	TRUST_ROLLBACK: { exit: 3, means: "the registry shows older metadata than this host has trusted" },
	TRUST_SIGNATURES: { exit: 3, means: "metadata is not signed by enough of the keys that must sign it" },
	TRUST_MISMATCH: { exit: 3, means: "metadata or a target is not the one that the signed metadata names" },
	TRUST_TOO_LARGE: { exit: 3, means: "the registry sends more bytes than it may" },
	TRUST_MALFORMED: { exit: 3, means: "metadata breaks its format" },
	TRUST_KEY_POLICY: {
		exit: 3,
		means: "metadata relies on keys that kfn's policy does not take: Ed25519 only",
	},
	TRUST_NO_TARGET: { exit: 1, means: "the registry's metadata lists no such file" },
	DRAFT_MALFORMED: { exit: 3, means: "a draft of trust metadata breaks its format, or its parts do not fit" },
	DRAFT_FOREIGN_KEY: { exit: 1, means: "the key is not one of those that sign this draft" },
	DRAFT_DIFFERS: { exit: 1, means: "two files are not copies of one draft" },
	DRAFT_ROLE_KEYS: { exit: 1, means: "a role would have no key, a key twice, or a threshold out of reach" },
	DRAFT_UNKNOWN_SIGNER: { exit: 1, means: "the role has no such key" },
	KEY_MALFORMED: { exit: 1, means: "the text is not a key in the format of its kind" },
	KEY_ID_MISMATCH: { exit: 3, means: "a key id is not the digest of the key that it stands beside" },
	KEY_WEAK: {
		exit: 3,
		means:
			"the public key is a point of small order or has such a component, so that signatures under it prove nothing",
	},
	KEY_COST_LIMIT: {
		exit: 3,
		means: "the secret key file asks for more time or memory than kfn spends on it",
	},
	KEY_WRONG_PASSPHRASE: { exit: 1, means: "the passphrase is wrong, or the secret key file was changed" },
	KEY_PASSPHRASE_UNUSABLE: { exit: 2, means: "the passphrase is empty, too long or not well-formed Unicode" },
	KERNEL_KEY_UNUSABLE: {
		exit: 1,
		means: "the key or its certificate is not one that the kernel can check signatures with",
	},
	KERNEL_SIGNATURE_MALFORMED: {
		exit: 3,
		means:
			"the file of signatures for the kernel is not in its one canonical spelling, or not of the bundle's programs",
	},
	LOG_CHECKPOINT_MALFORMED: { exit: 3, means: "a log's checkpoint is not in the form of a signed tree head" },
	LOG_ORIGIN: { exit: 3, means: "the checkpoint is of another log than the trusted one" },
	LOG_SIGNATURE: {
		exit: 3,
		means: "the log's key did not sign the checkpoint, or a signature of its or a witness's key does not fit",
	},
	LOG_QUORUM: {
		exit: 3,
		means: "fewer witnesses cosigned the checkpoint than the registry's targets ask for",
	},
	LOG_TRUNCATED: { exit: 3, means: "the log has fewer entries than this host saw before" },
	LOG_FORKED: { exit: 3, means: "the log does not begin with the entries that this host saw before" },
	LOG_TILE: { exit: 3, means: "a tile or a bundle of entries is not part of the signed log" },
	LOG_NOT_INCLUDED: { exit: 3, means: "the log does not hold this entry" },
	LOG_PROOF_MALFORMED: { exit: 3, means: "the file is not an inclusion proof in the form of tlog-proof" },
	LOG_ENTRY_MALFORMED: { exit: 3, means: "a log entry is not in its one spelling, or of an unknown type" },
} as const satisfies Record<string, { exit: 1 | 2 | 3 | 70; means: string }>;

export type SigningErrorCode = keyof typeof SIGNING_ERRORS;

/** The only error that signing/ throws on purpose; callers compare `code`, never the message. */
export class SigningError extends Error {
	override readonly name = "SigningError";
	readonly code: SigningErrorCode;
	readonly hint: string | undefined;
	readonly details: Readonly<Record<string, unknown>>;

	constructor(
		code: SigningErrorCode,
		message: string,
		options: { hint?: string; details?: Record<string, unknown>; cause?: unknown } = {},
	) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.code = code;
		this.hint = options.hint;
		this.details = Object.freeze({ ...options.details });
	}

	/** The exit code of the table above. */
	get exit(): 1 | 2 | 3 {
		return SIGNING_ERRORS[this.code].exit;
	}
}

/** Text from outside as it may stand in a message: printable ASCII, at most 80 characters, the rest as `?` and `…`. */
export function plain(text: string): string {
	const shown = text.slice(0, 80).replace(/[^\x20-\x7e]/g, "?");
	return text.length > 80 ? `${shown}…` : shown;
}
