// The tag: a hash of a function's tagged sources (docs/formats/tag.md). Never covers objects, compilers or flags.
import { createHash } from "node:crypto";
import type { Digest } from "./digest.ts";
import { BundleError } from "./errors.ts";
import { plain } from "./plain.ts";

/** `kfn1:` and 64 lowercase hex digits. */
export type Tag = string & { readonly __brand: "Tag" };

export interface TaggedFile {
	readonly path: string;
	readonly sha256: Digest;
}

const TAG = /^kfn1:[0-9a-f]{64}$/;

/**
 * The exact text that the tag hashes: per file `<sha256><two spaces><path>\n`, sorted by path as bytes.
 * It is what `sha256sum $(LC_ALL=C sort files)` prints. Expects bundle paths (ASCII), each once.
 */
export function tagLines(files: Iterable<TaggedFile>): string {
	// Bundle paths are ASCII, where UTF-16 order is byte order.
	const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
	return sorted.map((file) => `${file.sha256}  ${file.path}\n`).join("");
}

/** The tag of these source files: `kfn1:` + SHA-256 of `tagLines`. */
export function tagOf(files: Iterable<TaggedFile>): Tag {
	return `kfn1:${createHash("sha256").update(tagLines(files), "utf8").digest("hex")}` as Tag;
}

/** Reads a tag; BUNDLE_TAG_INVALID for anything else. */
export function parseTag(text: string): Tag {
	if (!TAG.test(text)) {
		throw new BundleError("BUNDLE_TAG_INVALID", `"${plain(text)}" is not a tag`, {
			hint: "Write kfn1: and 64 lowercase hex digits.",
		});
	}
	return text as Tag;
}
