// The one place where bytes become Verified. Refuses on the first listed signature that is unknown, malformed, wrong or
// repeated, even when enough others are good; there is no option that skips any of it.
import { createHash } from "node:crypto";
import { MANIFEST_PAYLOAD_TYPE, pae } from "./dsse.ts";
import { verify } from "./ed25519.ts";
import type { DsseEnvelope } from "./envelope.ts";
import { SigningError } from "./errors.ts";
import type { KeyId } from "./public-key.ts";
import type { Publisher } from "./publishers.ts";
import { parseSignatureFile } from "./signature-file.ts";
import type { Signature } from "./signature-list.ts";

declare const verified: unique symbol;

/** A value whose signatures have been checked; made only in this module. */
export type Verified<T> = T & { readonly [verified]: true };

/**
 * Checks the signatures over a bundle's manifest against the keys of the publisher that `publisherFor` gave for its name.
 * Returns a copy of the manifest's bytes, taken before the first check: go on with it, not with the argument.
 * SIGNATURE_MALFORMED, SIGNATURE_REPEATED: the file. SIGNATURE_MISSING: it lists none. SIGNATURE_UNKNOWN_KEY,
 * SIGNATURE_INVALID, SIGNATURE_REVOKED_KEY: any one listed. SIGNATURE_THRESHOLD: all good, but of fewer distinct keys than asked for.
 */
export async function verifyManifest(
	manifestBytes: Uint8Array,
	signatureFileBytes: Uint8Array,
	publisher: Publisher,
): Promise<Verified<Uint8Array>> {
	const manifest = new Uint8Array(manifestBytes);
	const signatures = parseSignatureFile(signatureFileBytes);
	await demandSigners(signatures, publisher, subject("bundle", MANIFEST_PAYLOAD_TYPE, manifest));
	return manifest as Verified<Uint8Array>;
}

/**
 * Checks an envelope's signatures against the keys of whoever must have made it, and gives a copy of its payload.
 * `payloadType` is what the caller reads the payload as, and what is verified, whatever the envelope says of itself.
 * Errors as {@link verifyManifest}; `thing` names the document in messages.
 */
export async function verifyEnvelope(
	envelope: DsseEnvelope,
	payloadType: string,
	signers: Signers,
	thing: Exclude<Thing, "bundle">,
): Promise<Verified<Uint8Array>> {
	const payload = new Uint8Array(envelope.payload);
	await demandSigners(envelope.signatures, signers, subject(thing, payloadType, payload));
	return payload as Verified<Uint8Array>;
}

/**
 * As {@link verifyEnvelope}, for a document that speaks for several publishers: every listed signature is good and of one of them, and
 * of each its own threshold of keys signed. A key that any of them revoked signs for none.
 */
export async function verifyEnvelopeOfAll(
	envelope: DsseEnvelope,
	payloadType: string,
	publishers: readonly Publisher[],
	thing: Exclude<Thing, "bundle">,
): Promise<Verified<Uint8Array>> {
	const payload = new Uint8Array(envelope.payload);
	const keys = publishers.flatMap((publisher) => publisher.keys);
	const revoked = publishers.flatMap((publisher) => publisher.revoked ?? []);
	const signed = subject(thing, payloadType, payload);
	const signers = await signersOf(envelope.signatures, { keys, revoked }, signed);
	for (const publisher of publishers) {
		const own = publisher.keys.filter(({ keyid }) => signers.has(keyid));
		demandThreshold(new Set(own.map(({ keyid }) => keyid)), publisher, signed);
	}
	return payload as Verified<Uint8Array>;
}

type Thing = keyof typeof HOW_TO_SIGN;
/** Whose keys count, and how many of them must have signed. */
export type Signers = Pick<Publisher, "threshold" | "keys" | "revoked">;

const HOW_TO_SIGN = {
	bundle: "ask its publisher for a signed bundle; to sign your own, use kfn sign",
	permit: "ask its publisher for a signed permit; to sign your own, use kfn permit sign",
	advisory: "ask its publisher for a signed advisory; to sign your own, use kfn advisory sign",
	"channel pointer": "ask its publisher for a signed one; to point your own channel, use kfn promote --key",
	"recall list": "the registry signs it with the key that its kfn/registry.json names",
	revocation: "ask its publisher for a signed revocation; to sign your own, use kfn recall sign",
	catalogue: "ask its vendor for a signed catalogue; to sign your own, use kfn catalogue sign",
} as const;

/** Who signs the thing, as messages call him. */
const signerOf = (thing: Thing) => (thing === "catalogue" ? "vendor" : "publisher");

/** What the signatures are over. */
interface Subject {
	readonly thing: Thing;
	readonly message: Uint8Array;
	/** sha256 of the payload: what a revoked key's list names, of manifests. */
	readonly digest: string;
}

function subject(thing: Thing, payloadType: string, payload: Uint8Array): Subject {
	const digest = createHash("sha256").update(payload).digest("hex");
	return { thing, message: pae(payloadType, payload), digest };
}

/** Each listed signature is good, and enough distinct keys made them; whose list, of what, is the caller's. */
async function demandSigners(signatures: readonly Signature[], of: Signers, signed: Subject): Promise<void> {
	demandThreshold(await signersOf(signatures, of, signed), of, signed);
}

type Keys = Pick<Signers, "keys" | "revoked">;

async function signersOf(
	signatures: readonly Signature[],
	of: Keys,
	signed: Subject,
): Promise<ReadonlySet<KeyId>> {
	const { thing } = signed;
	if (signatures.length === 0) {
		throw new SigningError("SIGNATURE_MISSING", `the ${thing} is not signed`, { hint: HOW_TO_SIGN[thing] });
	}
	const signers = new Set<KeyId>();
	for (const signature of signatures) signers.add(await verifyOne(signature, of, signed));
	return signers;
}

function demandThreshold(signers: ReadonlySet<KeyId>, { threshold }: Signers, { thing }: Subject): void {
	// Not "<": a threshold that is not a number must refuse.
	if (signers.size >= threshold) return;
	throw new SigningError(
		"SIGNATURE_THRESHOLD",
		`${signers.size} of the ${signerOf(thing)}'s keys signed, and ${threshold} must`,
		{
			hint: `the ${thing} is not finished: it needs signatures of more of its ${signerOf(thing)}'s keys`,
			details: { signers: [...signers], threshold },
		},
	);
}

async function verifyOne(
	{ keyid, sig }: Signature,
	of: Keys,
	{ thing, message, digest }: Subject,
): Promise<KeyId> {
	const revoked = of.revoked?.find((candidate) => candidate.key.keyid === keyid);
	const key = revoked?.key ?? of.keys.find((candidate) => candidate.keyid === keyid);
	if (key === undefined) {
		throw new SigningError(
			"SIGNATURE_UNKNOWN_KEY",
			`the key ${keyid} is not one of this ${signerOf(thing)}'s`,
			{
				hint: `do not use this ${thing}, unless its ${signerOf(thing)} confirms the new key over another channel`,
				details: { keyid },
			},
		);
	}
	if (!(await verify(key, sig, message))) {
		const signed = thing === "bundle" ? "manifest" : thing;
		throw new SigningError("SIGNATURE_INVALID", `the signature of key ${keyid} does not fit the ${signed}`, {
			hint: `do not use this ${thing}: it was changed after it was signed, or never signed by this key`,
			details: { keyid },
		});
	}
	// Its signature fits, and still says nothing: a thief of the key can make one over anything, dated as he likes.
	const goesOn = thing === "bundle" && revoked?.manifests.includes(digest);
	if (revoked !== undefined && !goesOn) {
		throw new SigningError("SIGNATURE_REVOKED_KEY", `the key ${keyid} is revoked: ${revoked.reason}`, {
			hint: `do not use this ${thing}: its ${signerOf(thing)} vouches only for what was listed when the key was revoked`,
			details: { keyid, reason: revoked.reason },
		});
	}
	return keyid;
}
