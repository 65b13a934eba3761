// Ed25519 keys as TUF metadata spells them (TUF 1.0.34 §4.2). Refuses key types that kfn never signs with: what others
// sign with is tuf-js's to verify.
import { createHash } from "node:crypto";
import { canonicalize } from "@tufjs/canonical-json";
import { type PublicKey, publicKeyOfBytes } from "../public-key.ts";

/** sha256 of the key object's canonical JSON, 64 lowercase hex digits (§4.2). Not kfn's own key id, which is over the raw bytes. */
export type TufKeyId = string & { readonly __brand: "TufKeyId" };

/** A key object; `public` is the 32 bytes of RFC 8032 §5.1.2 in lowercase hex. */
export interface TufKey {
	readonly keytype: "ed25519";
	readonly scheme: "ed25519";
	readonly keyval: { readonly public: string };
}

export function tufKeyOf(key: PublicKey): TufKey {
	const hex = Buffer.from(key.bytes).toString("hex");
	return { keytype: "ed25519", scheme: "ed25519", keyval: { public: hex } };
}

export function tufKeyId(key: TufKey): TufKeyId {
	return createHash("sha256").update(canonicalize(key)).digest("hex") as TufKeyId;
}

/** The key behind a key object. KEY_MALFORMED and KEY_WEAK as {@link publicKeyOfBytes}. */
export function publicKeyOfTuf(key: TufKey): PublicKey {
	return publicKeyOfBytes(new Uint8Array(Buffer.from(key.keyval.public, "hex")));
}
