// The command line's own errors, and the one place where any error becomes a code, a message, a hint and an exit
// code. Refuses to print what it was not told is safe: control characters and credentials are taken out.

import { oneLine, printableValue } from "./printable.ts";

export const CLI_ERRORS = {
	CLI_USAGE: { exit: 2, means: "a flag or an argument is unknown, missing or malformed" },
	CLI_KERNEL_UNSIGNABLE: { exit: 1, means: "no program of the bundle can be signed for the kernel" },
	CLI_FILE_UNREADABLE: { exit: 1, means: "a file named on the command line cannot be read" },
	CLI_FILE_UNWRITABLE: { exit: 1, means: "a file or folder named on the command line cannot be written" },
	CLI_FILE_BUSY: { exit: 1, means: "something else works on the file that was to be rewritten" },
	CLI_FILE_EXISTS: { exit: 1, means: "a file that would be overwritten already exists" },
	CLI_PASSPHRASE_NEEDED: { exit: 2, means: "a key file is encrypted and no passphrase can be asked for" },
	CLI_PASSPHRASE_MISMATCH: { exit: 2, means: "the two passphrases typed are not the same" },
	CLI_NO_REGISTRY: { exit: 2, means: "no registry is configured" },
	CLI_NO_TOKEN: { exit: 2, means: "the registry wants a token and none was given" },
	CLI_REGISTRY_UNREACHABLE: { exit: 1, means: "the registry does not answer" },
	CLI_REGISTRY_ANSWER: { exit: 1, means: "the registry's answer is not in the documented form" },
	CLI_REGISTRY_SLOW: { exit: 1, means: "the registry sends so slowly that it holds this host up" },
	CLI_DOWNLOAD_INTERRUPTED: { exit: 1, means: "the connection ended in the middle of a download" },
	CLI_DOWNLOAD_DIGEST: { exit: 3, means: "the downloaded bytes are not those that the index names" },
	CLI_EXPORT_MALFORMED: { exit: 3, means: "the file is not an export in the form that kfn writes" },
	CLI_MIRROR_INCOMPLETE: {
		exit: 1,
		means: "the registry or mirror does not have a file that its own metadata names",
	},
	CLI_MIRROR_BUSY: { exit: 1, means: "another kfn is writing into this mirror" },
	CLI_NO_LOG: { exit: 1, means: "the registry keeps no transparency log, or this host has not seen it" },
	CLI_IMPORT_BASE_MISSING: {
		exit: 1,
		means: "an export holds only what came after another one, which was not imported here",
	},
	CLI_CHANNEL_UNUSABLE: {
		exit: 1,
		means: "the channel points to a version that the registry does not list, or that was yanked",
	},
	CLI_NO_VERSION: { exit: 1, means: "no published version fits the range" },
	CLI_COMPILER_MISSING: { exit: 1, means: "the compiler that the build needs is not installed" },
	CLI_COMPILE_FAILED: { exit: 1, means: "the compiler refused the source" },
	CLI_JAIL_UNAVAILABLE: {
		exit: 1,
		means: "this machine does not let the compiler be locked in, and the source is a stranger's",
	},
	CLI_REBUILD_DIFFERS: { exit: 3, means: "the shipped source does not compile to the shipped object" },
	CLI_SOURCE_FORBIDDEN: {
		exit: 3,
		means: "the source holds a construct through which what the tag does not cover could get into the object",
	},
	CLI_SOURCE_UNTAGGED: { exit: 1, means: "the source includes a file that is outside the package's folders" },
	CLI_NOT_ROOT: { exit: 1, means: "the change needs privileges that the caller does not have" },
	CLI_BUG: { exit: 70, means: "an error that kfn did not foresee: our bug" },
} as const satisfies Record<string, { exit: 1 | 2 | 3 | 70; means: string }>;

export type CliErrorCode = keyof typeof CLI_ERRORS;

/** A refusal by the command line itself. Callers compare `code`, never the message. */
export class CliError extends Error {
	readonly code: CliErrorCode;
	readonly hint: string | undefined;
	readonly details: Readonly<Record<string, unknown>>;

	constructor(
		code: CliErrorCode,
		message: string,
		options: { hint?: string; details?: Record<string, unknown>; cause?: unknown } = {},
	) {
		super(message, options.cause === undefined ? {} : { cause: options.cause });
		this.name = "CliError";
		this.code = code;
		this.hint = options.hint;
		this.details = options.details ?? {};
	}

	get exit(): number {
		return CLI_ERRORS[this.code].exit;
	}
}

/** What every failing command prints with --json: one document on stdout (design §10). */
export interface ErrorDocument {
	error: { code: string; message: string; hint?: string; details: Readonly<Record<string, unknown>> };
}

interface Coded {
	code: string;
	message: string;
	hint?: string | undefined;
	details?: Readonly<Record<string, unknown>>;
	exit: number;
}

function isCoded(error: unknown): error is Coded {
	return (
		error instanceof Error &&
		typeof (error as Partial<Coded>).code === "string" &&
		typeof (error as Partial<Coded>).exit === "number"
	);
}

/** oclif's parser throws errors with `oclif.exit`; they are the user's usage, not our bug. */
function isUsage(error: unknown): error is Error {
	return error instanceof Error && (error as { oclif?: { exit?: number } }).oclif?.exit !== undefined;
}

function systemFailure(error: unknown): Coded | undefined {
	const { code, path, message } = error as NodeJS.ErrnoException;
	if (code === "EACCES" || code === "EPERM") {
		return {
			code: "CLI_NOT_ROOT",
			message: `not permitted: ${path ?? message}`,
			hint: "run as root, or move kfn's files with --root (KFN_ROOT)",
			exit: CLI_ERRORS.CLI_NOT_ROOT.exit,
		};
	}
	if (code !== "ENOENT" && code !== "EISDIR" && code !== "ENOTDIR") return undefined;
	return {
		code: "CLI_FILE_UNREADABLE",
		message: `cannot read ${path ?? message}: ${code === "ENOENT" ? "no such file" : code}`,
		exit: CLI_ERRORS.CLI_FILE_UNREADABLE.exit,
	};
}

/** Turns anything thrown into the document and exit code of design §10 and style.md. */
export function describeError(error: unknown): { document: ErrorDocument; exit: number } {
	const coded = isCoded(error) ? error : isUsage(error) ? usage(error) : (systemFailure(error) ?? bug(error));
	const document: ErrorDocument = {
		error: {
			code: coded.code,
			message: oneLine(coded.message),
			...(coded.hint === undefined ? {} : { hint: oneLine(coded.hint) }),
			details: printableValue(coded.details ?? {}) as ErrorDocument["error"]["details"],
		},
	};
	return { document, exit: coded.exit };
}

function usage(error: Error): Coded {
	// The parser appends its help line; one short line is enough, the hint says where the rest is.
	// Nor its note on flags with several values: ours take one value each, as often as they are given.
	const [first] = error.message.split(/\n+(?:See more help|Note: --)/);
	const message = first!.trim().replace(/\s*\n\s*/g, " ");
	return { code: "CLI_USAGE", message, hint: "kfn COMMAND --help shows what it takes", exit: 2 };
}

function bug(error: unknown): Coded {
	const text = error instanceof Error ? error.message : String(error);
	const stack = error instanceof Error ? (error.stack ?? "") : "";
	return {
		code: "CLI_BUG",
		message: text,
		hint: "this is a bug in kfn; please report it with the details (--json shows them)",
		details: { stack: stack.split("\n") },
		exit: 70,
	};
}
