// The host's own errors and those that the loader reports. Refuses to invent a LOAD_ code: the loader's table owns them.

export const HOST_ERRORS = {
	HOST_LOCKED: { exit: 1, means: "another kfn is changing this host" },
	HOST_LOCK_RELEASED: { exit: 70, means: "a lock was used after it had been given back" },
	HOST_LOADER_MISSING: { exit: 1, means: "the loader's binary cannot be started" },
	HOST_KERNEL_KEY_UNKNOWN: { exit: 1, means: "no enrolled certificate has the key id that was named" },
	HOST_LOADER_ANSWER: { exit: 70, means: "the loader died, or its answer is not in the documented form" },
	HOST_DISK_FULL: { exit: 1, means: "a file could not be written because the disk or a quota is full" },
	HOST_NO_PERMISSION: { exit: 1, means: "the caller may not write below the root" },
	HOST_IO: { exit: 1, means: "the file system failed a read or a write" },
	HOST_STORE_MISSING: { exit: 1, means: "a bundle that a generation needs is not in the store" },
	HOST_STORE_DIGEST: { exit: 3, means: "a stored file is missing, extra, or not what the manifest names" },
	HOST_STORE_PATH: { exit: 3, means: "a bundle's file would be stored outside its folder" },
	HOST_PLAN_MALFORMED: { exit: 1, means: "a plan is not in the documented form" },
	HOST_STATE_MALFORMED: { exit: 1, means: "a file of the host's state is not in the documented form" },
	HOST_SCOPE_MALFORMED: { exit: 2, means: "a scope is none of the forms of docs/formats/scopes.md" },
	HOST_EXPERIMENTAL: {
		exit: 1,
		means: "the bundle's publisher calls it experimental, and nobody asked for it all the same",
	},
	HOST_SCOPE_UNSUPPORTED: { exit: 1, means: "the function is not attached to scopes of this kind" },
	HOST_SCOPE_UNNAMED: { exit: 2, means: "the caller's network namespace has no name to remember it by" },
	HOST_ALREADY_INSTALLED: { exit: 1, means: "another version of the bundle is active in the scope" },
	HOST_NOT_INSTALLED: { exit: 1, means: "the bundle or function is not active where it was looked for" },
	HOST_FUNCTION_TAKEN: { exit: 1, means: "another bundle provides the function in the scope" },
	HOST_DOWNGRADE: { exit: 1, means: "the host would go to a lower version, and no permit lets it" },
	HOST_SAME_VERSION: { exit: 1, means: "the active bundle has the same version and other bytes" },
	HOST_HELD: { exit: 1, means: "the operator holds the bundle at another version (kfn hold)" },
	HOST_NOT_HELD: { exit: 1, means: "there is no hold on the bundle" },
	HOST_HOLDS_MALFORMED: { exit: 1, means: "holds.json is not in the documented form" },
	HOST_DESIRED_MALFORMED: { exit: 2, means: "a desired state is not in the documented form" },
	HOST_OTHER_BUNDLE: { exit: 3, means: "another bundle was given than the one that was asked for" },
	HOST_DEVICE_GONE: {
		exit: 1,
		means: "a scope in which a function shall run names a device that is not there",
	},
	HOST_SCOPE_OVERLAP: { exit: 1, means: "two patterns of one function can match the same network namespace" },
	HOST_NETNS_GONE: { exit: 1, means: "a scope in which a function shall run has no namespace" },
	HOST_HOOK_TAKEN: { exit: 1, means: "two functions would take one hook of one namespace" },
	HOST_SCOPE_CONFLICT: {
		exit: 1,
		means: "a function in the root namespace and one elsewhere exclude each other",
	},
	HOST_FOREIGN_PROGRAM: { exit: 1, means: "a program that is not kfn's holds a hook that a function needs" },
	HOST_AMBIGUOUS_SCOPE: { exit: 2, means: "the function is active in several scopes and none was named" },
	HOST_NO_GENERATION: { exit: 1, means: "the generation asked for does not exist" },
	HOST_STILL_ACTIVE: { exit: 1, means: "what is to be purged is still active in another scope" },
	HOST_RUNNING_DIFFERS: { exit: 3, means: "the kernel runs another program than the verified one" },
	HOST_RUNNING_UNPROVED: {
		exit: 1,
		means: "it could not be told whether the kernel runs the verified program",
	},
	HOST_CHECK_FAILED: { exit: 1, means: "after a change the kernel did not run what the plan says" },
	HOST_HEALTH_FAILED: { exit: 1, means: "the health window found the change bad, and it was taken back" },
	HOST_TRUST_UNKNOWN: { exit: 1, means: "no trusted publisher has the name or key that was to be removed" },
	HOST_TRUST_THRESHOLD: { exit: 2, means: "a publisher would have fewer keys than its threshold" },
	HOST_TRUST_NO_ROOT: {
		exit: 3,
		means: "no registry root is pinned, so that nothing of a registry can be verified",
	},
	HOST_TRUST_PINNED: { exit: 1, means: "another root is pinned already" },
	HOST_TRUST_FINGERPRINT: { exit: 3, means: "the registry has no root of the fingerprint that was given" },
	HOST_TRUST_DAMAGED: { exit: 3, means: "what this host remembers of its registry is damaged or incomplete" },
	HOST_TRUST_ROLLED_BACK: {
		exit: 3,
		means: "what this host holds or is offered of its registry is older than what it has verified before",
	},
	HOST_TRUST_POLICY: { exit: 3, means: "policy.json is not in the documented form" },
	HOST_REVOKED: { exit: 3, means: "the publisher revoked this tag or build: it is not activated again" },
	HOST_RECALL_NONE: {
		exit: 3,
		means: "the registry's offline keys name a key for its recall list, and the registry shows no list",
	},
	HOST_RECALL_STALE: {
		exit: 3,
		means:
			"the recall list expired longer ago than the operator's policy goes on with, so that nothing new is activated",
	},
	HOST_REVOKED_MALFORMED: {
		exit: 3,
		means: "what this host remembers of revocations cannot be read, so that nothing may be activated",
	},
	HOST_AUTO_DISABLED: { exit: 1, means: "an unattended run was asked for, and none is enabled here" },
	HOST_AUTO_MALFORMED: { exit: 1, means: "auto.json is not in the documented form" },
	HOST_BOOT_NO_INITRAMFS: { exit: 1, means: "no known maker of initramfs images is installed" },
	HOST_LOCKDOWN_NOT_AUDITED: {
		exit: 1,
		means: "lockdown shall deny programs and did not watch in this boot what would be denied",
	},
	HOST_LOCKDOWN_FILE: {
		exit: 1,
		means: "an executable that lockdown shall let in is not there, or others than root may write it",
	},
	HOST_FAULT_MALFORMED: { exit: 2, means: "an injected fault (KFN_FAULT, tests only) is not N:KIND" },
} as const satisfies Record<string, { exit: 1 | 2 | 3 | 70; means: string }>;

export type HostErrorCode = keyof typeof HOST_ERRORS;
export type Details = Readonly<Record<string, unknown>>;
export interface ErrorOptions {
	hint?: string | undefined;
	details?: Details;
	cause?: unknown;
}

/** A refusal by the host. Callers compare `code`, never the message. */
export class HostError extends Error {
	readonly code: HostErrorCode;
	readonly hint: string | undefined;
	readonly details: Details;

	constructor(code: HostErrorCode, message: string, options: ErrorOptions = {}) {
		super(plain(message), options.cause === undefined ? {} : { cause: options.cause });
		this.name = "HostError";
		this.code = code;
		this.hint = options.hint;
		this.details = options.details ?? {};
	}

	get exit(): 1 | 2 | 3 | 70 {
		return HOST_ERRORS[this.code].exit;
	}
}

/** A failure that `kfn-load` reported: its code, message, hint, details and exit code, unchanged. */
export class LoaderError extends Error {
	readonly code: `LOAD_${string}`;
	readonly hint: string | undefined;
	readonly details: Details;
	readonly exit: 1 | 2 | 3 | 70;

	constructor(code: `LOAD_${string}`, message: string, options: ErrorOptions & { exit: 1 | 2 | 3 | 70 }) {
		super(plain(message), options.cause === undefined ? {} : { cause: options.cause });
		this.name = "LoaderError";
		this.code = code;
		this.hint = options.hint;
		this.details = options.details ?? {};
		this.exit = options.exit;
	}
}

/** Replaces control characters, so that text from outside can neither move a cursor nor forge a line. */
export function plain(text: string): string {
	return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "\ufffd");
}

/** The code that an error carries (ours, a colleague's, or Node's), or "" where it has none. */
export function codeOf(error: unknown): string {
	const code = (error as { code?: unknown } | null | undefined)?.code;
	return typeof code === "string" ? code : "";
}

/**
 * Lays more into an error's details and, where given, another hint, and returns that same error: code, message, exit and
 * stack stay those of the failure, whichever folder it came from.
 */
export function withDetails<E>(error: E, details: Details, hint?: string): E {
	if (codeOf(error) === "") return error;
	const before = (error as { details?: Details }).details;
	return Object.assign(error as object, {
		details: { ...before, ...details },
		...(hint === undefined ? {} : { hint }),
	}) as E;
}

/** Of the exit codes of several failures, the one for all: security before a bug, a bug before usage and refusals; 0 of none. */
export function gravest(exits: readonly number[]): number {
	return [3, 70, 2, 1].find((exit) => exits.includes(exit)) ?? 0;
}
