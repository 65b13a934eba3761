// Bounded ranges of versions, in one spelling: what a rollback permit lets a host leave. Refuses a range that is open at
// an end: a statement of today must not speak of versions that do not exist yet.
import { compare, parse as parseSemver, Range } from "semver";

/** A range's text in its one spelling. */
export type VersionRange = string & { readonly __brand: "VersionRange" };

export const RANGE_LIMITS = { length: 256, alternatives: 16, version: 64 } as const;

interface Bound {
	readonly version: string;
	readonly inclusive: boolean;
}

interface Span {
	readonly low: Bound;
	readonly high: Bound;
}

const SPAN = /^(>=?)([^ ]+) (<=?)([^ ]+)$/;

/** Whether the text is a version: strict semver 2.0.0 without `+build`, at most 64 characters. */
export function isVersion(text: string): boolean {
	return text.length <= RANGE_LIMITS.version && parseSemver(text)?.version === text;
}

/**
 * Reads a version, `>=A <B` (also `>` and `<=`), or up to 16 of these joined by `||`; each must hold some version.
 * Undefined for anything else.
 */
export function parseVersionRange(text: string): VersionRange | undefined {
	return spansOf(text) === undefined ? undefined : (text as VersionRange);
}

/** The one spelling of a range as people type it: `^1.2`, `1.0.x`, `1.0.1 - 1.0.3`. Undefined when it is none, or open. */
export function normalVersionRange(typed: string): VersionRange | undefined {
	try {
		return parseVersionRange(new Range(typed).range);
	} catch {
		return undefined;
	}
}

/**
 * Whether the version lies in the range, by the order of versions alone: 1.0.2-rc.1 lies in `>=1.0.1 <1.0.2`. npm leaves
 * pre-releases out of ranges, but a bad one must be possible to leave.
 */
export function rangeHolds(range: VersionRange, version: string): boolean {
	return (spansOf(range) ?? []).some(
		({ low, high }) => fits(compare(version, low.version), low) && fits(compare(high.version, version), high),
	);
}

/** Whether the version is lower than everything that lies in the range. */
export function isBelowRange(version: string, range: VersionRange): boolean {
	return (spansOf(range) ?? []).every(({ low }) => !fits(compare(version, low.version), low));
}

function fits(order: number, bound: Bound): boolean {
	return order > 0 || (order === 0 && bound.inclusive);
}

function spansOf(text: string): readonly Span[] | undefined {
	if (text.length > RANGE_LIMITS.length) return undefined;
	const alternatives = text.split("||");
	if (alternatives.length > RANGE_LIMITS.alternatives) return undefined;
	const spans = alternatives.map(spanOf);
	return spans.includes(undefined) ? undefined : (spans as Span[]);
}

function spanOf(text: string): Span | undefined {
	const single = { version: text, inclusive: true };
	if (isVersion(text)) return { low: single, high: single };
	const [, above, from, below, to] = SPAN.exec(text) ?? [];
	if (from === undefined || to === undefined || !isVersion(from) || !isVersion(to)) return undefined;
	const low = { version: from, inclusive: above === ">=" };
	const high = { version: to, inclusive: below === "<=" };
	const order = compare(to, from);
	return order > 0 || (order === 0 && low.inclusive && high.inclusive) ? { low, high } : undefined;
}
