// Signs TUF metadata and counts who has signed. Refuses to count a key twice, or one that the role does not name.

import type { SecretKey } from "../ed25519.ts";
import { sign, verify } from "../ed25519.ts";
import { SigningError } from "../errors.ts";
import { publicKeyOfTuf, type TufKey, type TufKeyId, tufKeyId, tufKeyOf } from "./key.ts";
import {
	type Envelope,
	type RoleKeys,
	type SignedByRole,
	signedBytes,
	type TopLevelRole,
} from "./metadata.ts";

/** The envelope with this key's signature; an earlier one of the same key is replaced, others are kept as they are. */
export async function signEnvelope<S extends SignedByRole[TopLevelRole]>(
	envelope: Envelope<S>,
	secret: SecretKey,
): Promise<Envelope<S>> {
	const keyid = tufKeyId(tufKeyOf(secret.publicKey));
	const sig = Buffer.from(await sign(secret, signedBytes(envelope.signed))).toString("hex");
	const others = envelope.signatures.filter((signature) => signature.keyid !== keyid);
	return { signatures: [...others, { keyid, sig }], signed: envelope.signed };
}

/** Signs with all of `secrets`, from no signature. */
export async function signNew<S extends SignedByRole[TopLevelRole]>(
	signed: S,
	secrets: readonly SecretKey[],
): Promise<Envelope<S>> {
	let envelope: Envelope<S> = { signatures: [], signed };
	for (const secret of secrets) envelope = await signEnvelope(envelope, secret);
	return envelope;
}

/** Which of the role's keys have a valid signature in the envelope; each counts once, however it is listed (§5.3.4). */
export async function signersOf(
	envelope: Envelope<SignedByRole[TopLevelRole]>,
	role: RoleKeys,
	keys: Readonly<Record<TufKeyId, TufKey>>,
): Promise<TufKeyId[]> {
	const bytes = signedBytes(envelope.signed);
	const found: TufKeyId[] = [];
	for (const keyid of new Set(role.keyids)) {
		const key = keys[keyid];
		const signature = envelope.signatures.find((candidate) => candidate.keyid === keyid);
		if (key === undefined || signature === undefined) continue;
		if (await verify(publicKeyOfTuf(key), Buffer.from(signature.sig, "hex"), bytes)) found.push(keyid);
	}
	return found;
}

/** TRUST_SIGNATURES unless enough of the role's keys signed; `what` names the check in the message. */
export async function demandThreshold(
	envelope: Envelope<SignedByRole[TopLevelRole]>,
	role: RoleKeys,
	keys: Readonly<Record<TufKeyId, TufKey>>,
	what: string,
): Promise<void> {
	const signers = await signersOf(envelope, role, keys);
	if (signers.length >= role.threshold) return;
	const missing = role.keyids.filter((keyid) => !signers.includes(keyid));
	throw new SigningError(
		"TRUST_SIGNATURES",
		`${what}: ${signers.length} of the ${role.threshold} keys that must sign have`,
		{
			hint: "kfn root sign adds a signature of one of the keys in details.missing",
			details: { threshold: role.threshold, signers, missing },
		},
	);
}
