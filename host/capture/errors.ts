// The closed list of what can be wrong with a capture file, and the one error class of this folder. Refuses codes that are not in the table.

/** Every code of this folder with its exit code and meaning; docs/errors.md lists the same. */
export const CAPTURE_ERRORS = {
	CAPTURE_INVALID: { exit: 1, means: "the file is not a capture in the pcap or pcapng format" },
	CAPTURE_TRUNCATED: { exit: 1, means: "the capture ends in the middle of a header or packet" },
	CAPTURE_LINKTYPE: {
		exit: 1,
		means: "the capture holds link types that differ or that cannot be used here",
	},
	CAPTURE_TOO_LARGE: { exit: 1, means: "the capture, or a packet in it, is over the limit" },
} as const satisfies Record<string, { exit: 1 | 2 | 3 | 70; means: string }>;

export type CaptureErrorCode = keyof typeof CAPTURE_ERRORS;

export interface CaptureErrorOptions extends ErrorOptions {
	/** What to do next, one sentence. */
	readonly hint?: string;
	/** The values of the message, for `--json`. */
	readonly details?: Readonly<Record<string, unknown>>;
}

/** A capture that was refused; callers compare `code`. */
export class CaptureError extends Error {
	readonly code: CaptureErrorCode;
	readonly hint: string | undefined;
	readonly details: Readonly<Record<string, unknown>>;

	constructor(code: CaptureErrorCode, message: string, options: CaptureErrorOptions = {}) {
		super(message, options);
		this.name = "CaptureError";
		this.code = code;
		this.hint = options.hint;
		this.details = options.details ?? {};
	}

	/** The process exit code that goes with the error. */
	get exit(): number {
		return CAPTURE_ERRORS[this.code].exit;
	}
}
