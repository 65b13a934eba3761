// Spans of versions, of bundles and of kernels, and the order of the kernel's release numbers. Refuses anything but upstream's own
// numbers: a distribution's package version says nothing by itself (host/advisories/kernel-version.ts).
import { compare } from "semver";

/** From `introduced` on, and before `fixed` or up to and with `lastAffected`; at most one of the two. "0" is before everything. */
export interface Span {
	readonly introduced: string;
	readonly fixed: string | null;
	readonly lastAffected: string | null;
}

const KERNEL = /^(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})(?:\.(0|[1-9]\d{0,4}))?$/;

/** Whether the text is an upstream release: `6.1`, `6.1.170`. */
export function isKernelVersion(text: string): boolean {
	return KERNEL.test(text);
}

/** Below 0, 0 or above 0, as `sort` wants it; `6.1` is `6.1.0`. */
export function compareKernels(a: string, b: string): number {
	const [left, right] = [numbers(a), numbers(b)];
	return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

/** Whether the span holds the version, by the order of its kind alone: pre-releases of bundles included. */
export function spanHolds(span: Span, version: string, kind: "kernel" | "bundle"): boolean {
	const order = kind === "kernel" ? compareKernels : compare;
	if (span.introduced !== "0" && order(version, span.introduced) < 0) return false;
	if (span.fixed !== null) return order(version, span.fixed) < 0;
	return span.lastAffected === null || order(version, span.lastAffected) <= 0;
}

function numbers(text: string): readonly [number, number, number] {
	const [, major, minor, patch = "0"] = KERNEL.exec(text) ?? [];
	// No caller comes here with anything else; NaN would make every comparison false, silently.
	if (major === undefined) throw new TypeError("not a kernel version");
	return [Number(major), Number(minor), Number(patch)];
}
