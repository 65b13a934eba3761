// Ed25519 (RFC 8032, pure, no context) by libsodium. Refuses what libsodium refuses: S >= L, keys and R of small order,
// second encodings, and signatures that only the cofactored equation takes; ed25519-attacks.test.ts holds it to that.

import { SigningError } from "./errors.ts";
import { type PublicKey, publicKeyOfBytes } from "./public-key.ts";

export const SEED_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** A signing key. Printing or serialising it shows the public half only. */
export class SecretKey {
	readonly publicKey: PublicKey;
	readonly #seed: Uint8Array;

	/** For this module: elsewhere use {@link secretKeyOfSeed}, which derives the public half instead of believing it. */
	constructor(seed: Uint8Array, publicKey: PublicKey) {
		this.#seed = seed;
		this.publicKey = publicKey;
	}

	/** A copy of the 32 secret bytes (RFC 8032 §5.1.5), for writing the key to where the user asked. */
	exposeSeed(): Uint8Array {
		return new Uint8Array(this.#seed);
	}
}

/** A new key from the operating system's random numbers. */
export async function generateKeyPair(comment = ""): Promise<SecretKey> {
	const sodium = await readySodium();
	return secretKeyOfSeed(sodium.randombytes_buf(SEED_BYTES), comment);
}

/** The key of a 32-byte seed; KEY_MALFORMED for another length or an unfit comment. */
export async function secretKeyOfSeed(seed: Uint8Array, comment = ""): Promise<SecretKey> {
	if (seed.byteLength !== SEED_BYTES) {
		throw new SigningError("KEY_MALFORMED", `a seed has 32 bytes, not ${seed.byteLength}`);
	}
	const sodium = await readySodium();
	const own = new Uint8Array(seed);
	return new SecretKey(own, publicKeyOfBytes(sodium.crypto_sign_seed_keypair(own).publicKey, comment));
}

/** The 64-byte signature R || S over exactly these bytes; deterministic. */
export async function sign(secret: SecretKey, bytes: Uint8Array): Promise<Uint8Array> {
	const sodium = await readySodium();
	// Derived each time: signing under a public half that does not belong to the seed gives the seed away.
	const pair = sodium.crypto_sign_seed_keypair(secret.exposeSeed());
	return sodium.crypto_sign_detached(bytes, pair.privateKey);
}

/** True when `signature` is `publicKey`'s over exactly these bytes; false for any other 64 bytes or another length. */
export async function verify(
	publicKey: PublicKey,
	signature: Uint8Array,
	bytes: Uint8Array,
): Promise<boolean> {
	if (signature.byteLength !== SIGNATURE_BYTES) return false;
	const sodium = await readySodium();
	return sodium.crypto_sign_verify_detached(signature, bytes, publicKey.bytes);
}

/** libsodium, loaded at first use: a command that verifies nothing should not pay for compiling it. */
export async function readySodium(): Promise<typeof import("libsodium-wrappers").default> {
	const { default: sodium } = await import("libsodium-wrappers");
	await sodium.ready;
	return sodium;
}
