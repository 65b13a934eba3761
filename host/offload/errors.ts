// The errors of offload. Refuses to pass on a failed condition as an exception: a verdict lists those by name (verdict.ts).
import type { Details, ErrorOptions } from "#host/errors.ts";
import { plain } from "#host/errors.ts";

export const OFFLOAD_ERRORS = {
	OFFLOAD_REFUSED: {
		exit: 1,
		means: "the device may not take the function over; the details name each failed condition",
	},
	OFFLOAD_UNTRUSTED: {
		exit: 3,
		means:
			"the device may not take the function over, and one of the reasons is that what speaks for it is not to be trusted, or that the tag is revoked",
	},
	OFFLOAD_DEVICE_MALFORMED: { exit: 2, means: "a device is not named as NAME or NAME@/run/netns/NAMESPACE" },
	OFFLOAD_DEVICE_GONE: { exit: 1, means: "the device, or its network namespace, is not there" },
	OFFLOAD_DEVICE_REFUSED: { exit: 1, means: "the kernel or its driver refused what was asked of a device" },
	OFFLOAD_DEVICE_TOOL: { exit: 1, means: "kfn-device, which asks devices, cannot be started" },
	OFFLOAD_DEVICE_ANSWER: { exit: 70, means: "kfn-device died, or its answer is not in the documented form" },
	OFFLOAD_FEATURE_STUCK: { exit: 1, means: "a device's feature did not become what it was set to" },
	OFFLOAD_NOT_OUT: {
		exit: 1,
		means: "a device that runs what the change takes away could not be taken out, so the change was refused",
	},
	OFFLOAD_NOT_ENABLED: { exit: 1, means: "offload of the function is not enabled at the device" },
	OFFLOAD_PROBE_FUNCTION: {
		exit: 1,
		means: "there is nothing here to compare the device with, or no way to send it through",
	},
	OFFLOAD_PROBE_DIFFERS: {
		exit: 3,
		means: "the device made other packets than the function: it does not run what it says",
	},
	OFFLOAD_STATE_MALFORMED: { exit: 1, means: "offload.json is not in the documented form" },
} as const satisfies Record<string, { exit: 1 | 2 | 3 | 70; means: string }>;

export type OffloadErrorCode = keyof typeof OFFLOAD_ERRORS;

/** A refusal by offload. Callers compare `code`, never the message. */
export class OffloadError extends Error {
	readonly code: OffloadErrorCode;
	readonly hint: string | undefined;
	readonly details: Details;

	constructor(code: OffloadErrorCode, message: string, options: ErrorOptions = {}) {
		super(plain(message), options.cause === undefined ? {} : { cause: options.cause });
		this.name = "OffloadError";
		this.code = code;
		this.hint = options.hint;
		this.details = options.details ?? {};
	}

	get exit(): 1 | 2 | 3 | 70 {
		return OFFLOAD_ERRORS[this.code].exit;
	}
}
