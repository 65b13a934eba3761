// The one place where bytes become Verified. Refuses on the first listed signature that is unknown, malformed, wrong or
// repeated, even when enough others are good; there is no option that skips any of it.
import { MANIFEST_PAYLOAD_TYPE, pae } from "./dsse.ts";
import { verify } from "./ed25519.ts";
import { SigningError } from "./errors.ts";
import type { KeyId } from "./public-key.ts";
import type { Publisher } from "./publishers.ts";
import { parseSignatureFile, type Signature } from "./signature-file.ts";

declare const verified: unique symbol;

/** A value whose signatures have been checked; made only in this module. */
export type Verified<T> = T & { readonly [verified]: true };

/**
 * Checks the signatures over a bundle's manifest against the keys of the publisher that `publisherFor` gave for its name.
 * Returns a copy of the manifest's bytes, taken before the first check: go on with it, not with the argument.
 * SIGNATURE_MALFORMED, SIGNATURE_REPEATED: the file. SIGNATURE_MISSING: it lists none. SIGNATURE_UNKNOWN_KEY,
 * SIGNATURE_INVALID: any one listed. SIGNATURE_THRESHOLD: all good, but of fewer distinct keys than asked for.
 */
export async function verifyManifest(
	manifestBytes: Uint8Array,
	signatureFileBytes: Uint8Array,
	publisher: Publisher,
): Promise<Verified<Uint8Array>> {
	const manifest = new Uint8Array(manifestBytes);
	const signatures = parseSignatureFile(signatureFileBytes);
	if (signatures.length === 0) {
		throw new SigningError("SIGNATURE_MISSING", "the bundle is not signed", {
			hint: "ask its publisher for a signed bundle; to sign your own, use kfn sign",
		});
	}
	const message = pae(MANIFEST_PAYLOAD_TYPE, manifest);
	const signers = new Set<KeyId>();
	for (const signature of signatures) signers.add(await verifyOne(signature, message, publisher));
	// Not "<": a threshold that is not a number must refuse.
	if (!(signers.size >= publisher.threshold)) {
		throw new SigningError(
			"SIGNATURE_THRESHOLD",
			`${signers.size} of the publisher's keys signed, and ${publisher.threshold} must`,
			{
				hint: "the bundle is not finished: it needs signatures of more of its publisher's keys",
				details: { signers: [...signers], threshold: publisher.threshold },
			},
		);
	}
	return manifest as Verified<Uint8Array>;
}

async function verifyOne(
	{ keyid, sig }: Signature,
	message: Uint8Array,
	publisher: Publisher,
): Promise<KeyId> {
	const key = publisher.keys.find((candidate) => candidate.keyid === keyid);
	if (key === undefined) {
		throw new SigningError("SIGNATURE_UNKNOWN_KEY", `the key ${keyid} is not one of this publisher's`, {
			hint: "do not use this bundle, unless its publisher confirms the new key over another channel",
			details: { keyid },
		});
	}
	if (!(await verify(key, sig, message))) {
		throw new SigningError("SIGNATURE_INVALID", `the signature of key ${keyid} does not fit the manifest`, {
			hint: "do not use this bundle: it was changed after it was signed, or never signed by this key",
			details: { keyid },
		});
	}
	return keyid;
}
