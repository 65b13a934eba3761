// Secret keys at rest: a passphrase-locked text file, and the one-line seed for CI (docs/formats/keys.md). Refuses files
// that ask for unbounded memory or time, and never writes a seed unencrypted unless the caller asks for that form.
import { argon2, randomBytes } from "node:crypto";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { readySodium, SEED_BYTES, type SecretKey, secretKeyOfSeed } from "./ed25519.ts";
import { SigningError } from "./errors.ts";
import { PUBLIC_KEY_BYTES, type PublicKey, parseKeyId, publicKeyOfBytes } from "./public-key.ts";

/** The cost of Argon2id (RFC 9106), one lane. */
export interface KdfCost {
	/** t, 1 to 16. */
	readonly passes: number;
	/** m, in KiB, 8 to 1,048,576 (1 GiB). */
	readonly memoryKiB: number;
}

/** About half a second and 256 MiB on a common machine: between the two recommendations of RFC 9106 §4. */
export const DEFAULT_KDF_COST: KdfCost = { passes: 3, memoryKiB: 256 * 1024 };
export const KDF_LIMITS = { passes: 16, memoryKiB: 1024 * 1024 } as const;

const MAGIC = "kfn-ed25519-secret 1";
const SALT_BYTES = 16;
const NONCE_BYTES = 24;
const BOX_BYTES = SEED_BYTES + 16;
const PASSPHRASE_BYTES = 1024;
const FILE_CHARACTERS = 1024;
const FILE = new RegExp(
	`^(${MAGIC}\nkeyid: ([0-9a-f]{64})\npublic: ([A-Za-z0-9+/=]{44})\n` +
		"kdf: argon2id t=([1-9][0-9]{0,9}) m=([1-9][0-9]{0,9}) p=1 salt=([A-Za-z0-9+/=]{24})\n" +
		"cipher: xchacha20poly1305 nonce=([A-Za-z0-9+/=]{32})\n)secret: ([A-Za-z0-9+/=]{64})\n$",
);

interface SecretFile {
	/** The lines before `secret:`, with their line ends: the additional data that the cipher authenticates. */
	readonly header: string;
	readonly publicKey: PublicKey;
	readonly cost: KdfCost;
	readonly salt: Uint8Array;
	readonly nonce: Uint8Array;
	readonly box: Uint8Array;
}

/**
 * The text of a key file that only the passphrase opens; salt and nonce are new each time.
 * The passphrase counts as the UTF-8 of its NFC form. KEY_PASSPHRASE_UNUSABLE: empty, over 1024 bytes, or a lone
 * surrogate. KEY_COST_LIMIT: a cost that {@link decryptSecretKey} would refuse. Smaller costs are for tests.
 */
export async function encryptSecretKey(
	secret: SecretKey,
	passphrase: string,
	options: { cost?: KdfCost } = {},
): Promise<string> {
	const cost = checkedCost(options.cost ?? DEFAULT_KDF_COST);
	const [salt, nonce] = [randomBytes(SALT_BYTES), randomBytes(NONCE_BYTES)];
	const { keyid, bytes } = secret.publicKey;
	const header = [
		MAGIC,
		`keyid: ${keyid}`,
		`public: ${encodeBase64(bytes)}`,
		`kdf: argon2id t=${cost.passes} m=${cost.memoryKiB} p=1 salt=${encodeBase64(salt)}`,
		`cipher: xchacha20poly1305 nonce=${encodeBase64(nonce)}\n`,
	].join("\n");
	const key = await deriveKey(passphraseBytes(passphrase), salt, cost);
	const sodium = await readySodium();
	const seed = secret.exposeSeed();
	const box = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(seed, Buffer.from(header), null, nonce, key);
	return `${header}secret: ${encodeBase64(box)}\n`;
}

/**
 * Opens a key file. Takes the time and memory that the file names, within {@link KDF_LIMITS}.
 * KEY_MALFORMED, KEY_WEAK, KEY_COST_LIMIT: before any of that is spent. KEY_WRONG_PASSPHRASE: or any byte was changed;
 * the two cannot be told apart. KEY_ID_MISMATCH: the file is intact, but was written with another key's id or public half.
 */
export async function decryptSecretKey(text: string, passphrase: string): Promise<SecretKey> {
	const file = parseSecretFile(text);
	const key = await deriveKey(passphraseBytes(passphrase), file.salt, file.cost);
	const seed = await openBox(file, key);
	const secret = await secretKeyOfSeed(seed);
	if (secret.publicKey.keyid !== file.publicKey.keyid)
		throw mismatch(file.publicKey.keyid, secret.publicKey.keyid);
	return secret;
}

/** The public half as the file states it, without the passphrase: unauthenticated until the file has been opened. */
export function publicKeyOfSecretFile(text: string): PublicKey {
	return parseSecretFile(text).publicKey;
}

/**
 * The key of `kfn-ed25519-seed <base64 of 32 bytes>`, as CI holds it in an environment variable; one final newline is
 * forgiven, since secret stores add it. KEY_MALFORMED, never with the text in the message.
 */
export async function parseSeed(text: string): Promise<SecretKey> {
	const match = /^kfn-ed25519-seed ([A-Za-z0-9+/]{43}=)\n?$/.exec(text);
	const seed = match?.[1] === undefined ? undefined : decodeBase64(match[1], SEED_BYTES);
	if (seed === undefined) {
		throw new SigningError("KEY_MALFORMED", "the text is not a seed line", {
			hint: "expected: kfn-ed25519-seed <base64 of 32 bytes>",
		});
	}
	return secretKeyOfSeed(seed);
}

/** The line that {@link parseSeed} takes. It is the secret itself, in the clear. */
export function formatSeed(secret: SecretKey): string {
	return `kfn-ed25519-seed ${encodeBase64(secret.exposeSeed())}`;
}

function parseSecretFile(text: string): SecretFile {
	const match = text.length > FILE_CHARACTERS ? null : FILE.exec(text);
	if (match === null) throw malformed();
	const [, header, keyid, publicText, passes, memory, saltText, nonceText, boxText] =
		match as unknown as string[];
	const bytes = decodeBase64(publicText!, PUBLIC_KEY_BYTES);
	const salt = decodeBase64(saltText!, SALT_BYTES);
	const nonce = decodeBase64(nonceText!, NONCE_BYTES);
	const box = decodeBase64(boxText!, BOX_BYTES);
	if (bytes === undefined || salt === undefined || nonce === undefined || box === undefined)
		throw malformed();
	const publicKey = publicKeyOfBytes(bytes);
	if (publicKey.keyid !== parseKeyId(keyid!)) throw mismatch(keyid!, publicKey.keyid);
	const cost = checkedCost({ passes: Number(passes), memoryKiB: Number(memory) });
	return { header: header!, publicKey, cost, salt, nonce, box };
}

/** A file from elsewhere must not be able to make the machine swap or the user wait for an hour. */
function checkedCost(cost: KdfCost): KdfCost {
	const { passes, memoryKiB } = cost;
	const whole = Number.isInteger(passes) && Number.isInteger(memoryKiB);
	if (
		!whole ||
		passes < 1 ||
		passes > KDF_LIMITS.passes ||
		memoryKiB < 8 ||
		memoryKiB > KDF_LIMITS.memoryKiB
	) {
		throw new SigningError(
			"KEY_COST_LIMIT",
			`a cost of t=${passes} m=${memoryKiB} is outside what kfn spends`,
			{
				hint: `t is 1 to ${KDF_LIMITS.passes}, m is 8 to ${KDF_LIMITS.memoryKiB} KiB; kfn writes t=3 m=262144`,
				details: { passes, memoryKiB },
			},
		);
	}
	return cost;
}

function passphraseBytes(passphrase: string): Uint8Array {
	const bytes = Buffer.from(passphrase.normalize("NFC"), "utf8");
	// A lone surrogate encodes as U+FFFD: two different passphrases would open the same file.
	if (bytes.byteLength === 0 || bytes.byteLength > PASSPHRASE_BYTES || !passphrase.isWellFormed()) {
		throw new SigningError(
			"KEY_PASSPHRASE_UNUSABLE",
			"the passphrase is empty, too long or not well-formed Unicode",
			{
				hint: `use 1 to ${PASSPHRASE_BYTES} bytes of UTF-8; for CI, use the seed form instead of no passphrase`,
			},
		);
	}
	return bytes;
}

function deriveKey(message: Uint8Array, nonce: Uint8Array, cost: KdfCost): Promise<Uint8Array> {
	const parameters = {
		message,
		nonce,
		parallelism: 1,
		tagLength: 32,
		memory: cost.memoryKiB,
		passes: cost.passes,
	};
	return new Promise((resolve, reject) => {
		argon2("argon2id", parameters, (error, key) => (error === null ? resolve(key) : reject(error)));
	});
}

async function openBox(file: SecretFile, key: Uint8Array): Promise<Uint8Array> {
	const sodium = await readySodium();
	const { box, header, nonce } = file;
	try {
		return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, box, Buffer.from(header), nonce, key);
	} catch (cause) {
		throw new SigningError("KEY_WRONG_PASSPHRASE", "the passphrase does not open this key file", {
			hint: "type it again; if it is surely right, the file was changed: take it from a backup",
			cause,
		});
	}
}

function mismatch(stated: string, actual: string): SigningError {
	return new SigningError("KEY_ID_MISMATCH", `the key file says it is ${stated}, but it is ${actual}`, {
		hint: "the file was damaged or put together from two keys; take it from a backup",
		details: { stated, actual },
	});
}

function malformed(): SigningError {
	return new SigningError("KEY_MALFORMED", "the text is not a kfn secret key file", {
		hint: "it has six lines, the first of them: kfn-ed25519-secret 1",
	});
}
