// The `requires.kernel` range: its syntax and its meaning. Never asks the running kernel; the loader does that.
import { BundleError } from "./errors.ts";
import { plain } from "./plain.ts";

export type KernelVersion = readonly [major: number, minor: number, patch: number];

export interface KernelRange {
	/** Inclusive lower end, undefined when open. */
	readonly from: KernelVersion | undefined;
	/** Exclusive upper end, undefined when open. */
	readonly below: KernelVersion | undefined;
}

const NUMBER = "(0|[1-9][0-9]{0,4})";
const VERSION = `${NUMBER}\\.${NUMBER}(?:\\.${NUMBER})?`;
const RANGE = new RegExp(`^(?:>=${VERSION})?( )?(?:<${VERSION})?$`);
const RELEASE = new RegExp(`^${VERSION}(?![0-9])`);
const LARGEST = 65535;

function versionOf(groups: readonly (string | undefined)[]): KernelVersion | undefined {
	if (groups[0] === undefined) return undefined;
	return [Number(groups[0]), Number(groups[1]), Number(groups[2] ?? "0")];
}

/** Orders two kernel versions: negative, zero or positive, like a sort function. */
export function compareKernels(a: KernelVersion, b: KernelVersion): number {
	return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/**
 * Reads `>=A.B[.C]`, `<A.B[.C]` or both in this order with one space between; numbers up to 65535 without leading zeros.
 * BUNDLE_KERNEL_RANGE_INVALID for anything else, and for a range that no kernel can fulfil.
 */
export function parseKernelRange(text: string): KernelRange {
	const match = RANGE.exec(text);
	const from = match === null ? undefined : versionOf(match.slice(1, 4));
	const below = match === null ? undefined : versionOf(match.slice(5, 8));
	const spaced = match?.[4] !== undefined;
	const empty = from === undefined && below === undefined;
	const numbers = [...(from ?? []), ...(below ?? [])];
	if (match === null || empty || spaced !== (from !== undefined && below !== undefined)) {
		throw refusal(text, "is not a kernel range");
	}
	if (numbers.some((number) => number > LARGEST)) throw refusal(text, `holds a number above ${LARGEST}`);
	if (from !== undefined && below !== undefined && compareKernels(from, below) >= 0) {
		throw refusal(text, "is a range that no kernel fulfils");
	}
	return { from, below };
}

/** Reads the leading A.B[.C] of `uname -r`; a missing C is 0. Undefined when there is none: could not tell. */
export function parseKernelRelease(release: string): KernelVersion | undefined {
	const match = RELEASE.exec(release);
	return match === null ? undefined : versionOf(match.slice(1, 4));
}

/** Whether a kernel version lies in a range. */
export function kernelFulfils(range: KernelRange, version: KernelVersion): boolean {
	const high = range.from === undefined || compareKernels(version, range.from) >= 0;
	return high && (range.below === undefined || compareKernels(version, range.below) < 0);
}

function refusal(text: string, why: string): BundleError {
	return new BundleError("BUNDLE_KERNEL_RANGE_INVALID", `"${plain(text)}" ${why}`, {
		hint: "Write >=A.B[.C], <A.B[.C], or both in this order with one space between.",
	});
}
