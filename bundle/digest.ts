// SHA-256 digests of bytes. Never a tag: a tag identifies a source, a digest identifies bytes.
import { createHash } from "node:crypto";
import { BundleError } from "./errors.ts";
import { plain } from "./plain.ts";

/** 64 lowercase hex digits, no prefix. */
export type Digest = string & { readonly __brand: "Digest" };

const DIGEST = /^[0-9a-f]{64}$/;

/** The SHA-256 of exactly these bytes. */
export function sha256(bytes: Uint8Array): Digest {
	return createHash("sha256").update(bytes).digest("hex") as Digest;
}

/** Reads a digest; BUNDLE_DIGEST_INVALID for anything but 64 lowercase hex digits. */
export function parseDigest(text: string): Digest {
	if (!DIGEST.test(text)) {
		throw new BundleError("BUNDLE_DIGEST_INVALID", `"${plain(text)}" is not a sha256 digest`, {
			hint: "Write 64 lowercase hex digits without a prefix.",
		});
	}
	return text as Digest;
}
