// A witness's cosignature over a checkpoint, as C2SP tlog-cosignature defines it for Ed25519 (cosignature/v1, type 04): "at this
// time, the largest tree of this log that I saw has this root". Refuses to say whether that is true: ops do, before they sign.
import { type SecretKey, SIGNATURE_BYTES, sign, verify } from "../ed25519.ts";
import { type NoteSignature, type VerifierKey, verifierKey } from "./note.ts";

const TIMESTAMP_BYTES = 8;
/** The specification's bound; times beyond are no times. */
const MAX_TIMESTAMP = 2n ** 63n - 1n;

/** The witness's signature line over the checkpoint's whole text. `seconds` since 1970. */
export async function cosign(
	text: string,
	signer: { readonly name: string; readonly secret: SecretKey },
	seconds: number,
): Promise<NoteSignature> {
	const { id } = verifierKey(signer.name, "cosignature", signer.secret.publicKey);
	const timestamp = Buffer.alloc(TIMESTAMP_BYTES);
	timestamp.writeBigUInt64BE(BigInt(seconds));
	const signature = await sign(signer.secret, message(text, BigInt(seconds)));
	return { name: signer.name, id, bytes: new Uint8Array(Buffer.concat([timestamp, signature])) };
}

/** When the witness signed, in seconds since 1970, or undefined when this is not its cosignature over the text. */
export async function verifyCosignature(
	text: string,
	signature: NoteSignature,
	key: VerifierKey,
): Promise<bigint | undefined> {
	if (signature.bytes.byteLength !== TIMESTAMP_BYTES + SIGNATURE_BYTES) return undefined;
	const seconds = Buffer.from(signature.bytes).readBigUInt64BE(0);
	if (seconds > MAX_TIMESTAMP) return undefined;
	const ed25519 = signature.bytes.slice(TIMESTAMP_BYTES);
	return (await verify(key.publicKey, ed25519, message(text, seconds))) ? seconds : undefined;
}

/** The header keeps a cosignature from being passed off as a log's own signature: no checkpoint's second line is "time …". */
function message(text: string, seconds: bigint): Uint8Array {
	return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
}
