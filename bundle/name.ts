// Bundle names and versions, as users type them. Does not say whether such a bundle exists.
import semver from "semver";
import { BundleError } from "./errors.ts";
import { plain } from "./plain.ts";

/** 1 to 64 of a-z, 0-9 and `-`; no `-` at either end. */
export type BundleName = string & { readonly __brand: "BundleName" };
/** A Semantic Versioning 2.0.0 version in its canonical spelling. */
export type Version = string & { readonly __brand: "Version" };

const NAME = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/;
const LONGEST_VERSION = 64;

/** Reads a bundle name; BUNDLE_NAME_INVALID otherwise. */
export function parseBundleName(text: string): BundleName {
	if (!NAME.test(text)) {
		throw new BundleError("BUNDLE_NAME_INVALID", `"${plain(text)}" is not a bundle name`, {
			hint: "Use 1 to 64 of a-z, 0-9 and '-', with a letter or digit at both ends.",
		});
	}
	return text as BundleName;
}

/**
 * Reads a version: strict semver 2.0.0, at most 64 characters, no leading `v`, no blanks; BUNDLE_VERSION_INVALID otherwise.
 * Build metadata (`+…`) is refused: two versions that differ only there have no order.
 */
export function parseVersion(text: string): Version {
	const parsed = text.length <= LONGEST_VERSION ? semver.parse(text, { loose: false }) : null;
	if (parsed === null || parsed.version !== text) {
		throw new BundleError("BUNDLE_VERSION_INVALID", `"${plain(text)}" is not a version`, {
			hint: "Write a semantic version like 1.4.0 or 2.0.0-rc.1, without a leading v and without +build.",
		});
	}
	return text as Version;
}
