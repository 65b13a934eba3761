// Signed notes and verifier keys as C2SP signed-note defines them: a text and lines of signatures under it. Refuses every
// second spelling, and says nothing about who must have signed: that is checkpoint.ts.
import { createHash } from "node:crypto";
import { decodeBase64, decodeBase64OfAnyLength, encodeBase64 } from "../base64.ts";
import { type SecretKey, sign, verify } from "../ed25519.ts";
import { plain, SigningError } from "../errors.ts";
import { PUBLIC_KEY_BYTES, type PublicKey, publicKeyOfBytes } from "../public-key.ts";
import { decodeUtf8 } from "../strict-json.ts";

/** The signature types that kfn knows; notes may carry others, of keys that it does not know either. */
export const SIGNATURE_TYPES = { ed25519: 0x01, cosignature: 0x04 } as const;
export type SignatureType = keyof typeof SIGNATURE_TYPES;

/** A key that may sign notes: name, type and key fix the key id that its signature lines carry. */
export interface VerifierKey {
	readonly name: string;
	readonly type: SignatureType;
	readonly publicKey: PublicKey;
	/** 8 lowercase hex digits. Short: an attacker finds a second key for it, and then cannot sign. */
	readonly id: string;
}

/** One signature line: unverified. */
export interface NoteSignature {
	readonly name: string;
	readonly id: string;
	/** What follows the key id; of an unknown type, any bytes. */
	readonly bytes: Uint8Array;
}

export interface Note {
	/** Ends with a newline. */
	readonly text: string;
	readonly signatures: readonly NoteSignature[];
}

/** The specification asks for at least 16 signatures, and for room for post-quantum ones of 5 kB. */
export const NOTE_LIMITS = { bytes: 256 * 1024, signatures: 64 } as const;

const KEY_ID_BYTES = 4;
const NAME = /^[^\s\u0085+\u0000-\u001f\u007f]+$/u;
const SIGNATURE_LINE = /^— ([^ ]+) ([A-Za-z0-9+/=]+)$/u;
const VERIFIER_KEY = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u;

/** The key under a name, for signatures of a type. KEY_MALFORMED: the name is empty or has spaces, controls or a plus. */
export function verifierKey(name: string, type: SignatureType, publicKey: PublicKey): VerifierKey {
	if (!NAME.test(name) || name.length > 255) {
		throw new SigningError(
			"KEY_MALFORMED",
			`"${plain(name)}" cannot be the name of a log's or witness's key`,
			{
				hint: "use up to 255 characters without spaces and plus signs, such as registry.example/log",
			},
		);
	}
	const hash = createHash("sha256").update(`${name}\n`).update(material(type, publicKey)).digest();
	return { name, type, publicKey, id: hash.subarray(0, KEY_ID_BYTES).toString("hex") };
}

/** `<name>+<key id>+<base64 of type and key>`. KEY_MALFORMED, KEY_ID_MISMATCH, KEY_WEAK. */
export function parseVerifierKey(text: string): VerifierKey {
	const match = VERIFIER_KEY.exec(text);
	const bytes = match?.[3] === undefined ? undefined : decodeBase64(match[3], 1 + PUBLIC_KEY_BYTES);
	const type = SIGNATURE_TYPE_NAMES.find((name) => SIGNATURE_TYPES[name] === bytes?.[0]);
	if (match?.[1] === undefined || bytes === undefined || type === undefined) {
		throw new SigningError("KEY_MALFORMED", `"${plain(text)}" is not a verifier key that kfn understands`, {
			hint: "expected: <name>+<8 hex digits>+<base64 of 33 bytes>, of type 01 (Ed25519) or 04 (cosignature/v1)",
		});
	}
	const key = verifierKey(match[1], type, publicKeyOfBytes(bytes.slice(1)));
	if (key.id !== match[2]) {
		throw new SigningError("KEY_ID_MISMATCH", `the key says it is ${match[2]}, but it is ${key.id}`, {
			hint: "the line was damaged or put together from two keys; get it again from its owner",
			details: { stated: match[2], actual: key.id },
		});
	}
	return key;
}

export function formatVerifierKey(key: VerifierKey): string {
	return `${key.name}+${key.id}+${encodeBase64(material(key.type, key.publicKey))}`;
}

/** LOG_CHECKPOINT_MALFORMED unless the bytes are a note in its one spelling, within {@link NOTE_LIMITS}. */
export function parseNote(bytes: Uint8Array): Note {
	const text = decodeUtf8(bytes, NOTE_LIMITS.bytes);
	if (text === undefined) throw malformed(`it is not UTF-8, or longer than ${NOTE_LIMITS.bytes} bytes`);
	if (/[\u0000-\u0009\u000b-\u001f]/.test(text)) throw malformed("it holds control characters");
	const end = text.lastIndexOf("\n\n");
	if (end < 0 || !text.endsWith("\n")) throw malformed("it has no signatures");
	const lines = text.slice(end + 2, -1).split("\n");
	if (lines.length > NOTE_LIMITS.signatures) {
		throw malformed(`it has ${lines.length} signatures, more than ${NOTE_LIMITS.signatures}`);
	}
	return { text: text.slice(0, end + 1), signatures: lines.map(parseSignatureLine) };
}

export function serializeNote({ text, signatures }: Note): Uint8Array {
	return Buffer.from(
		`${text}\n${signatures.map((signature) => `${formatSignatureLine(signature)}\n`).join("")}`,
	);
}

/** One line without its end. LOG_CHECKPOINT_MALFORMED. */
export function parseSignatureLine(line: string): NoteSignature {
	const [, name, base64 = ""] = SIGNATURE_LINE.exec(line) ?? [];
	const bytes = decodeBase64OfAnyLength(base64);
	if (name === undefined || !NAME.test(name) || bytes === undefined || bytes.byteLength <= KEY_ID_BYTES) {
		throw malformed(`"${plain(line)}" is not a signature line`);
	}
	const id = Buffer.from(bytes.subarray(0, KEY_ID_BYTES)).toString("hex");
	return { name, id, bytes: bytes.slice(KEY_ID_BYTES) };
}

export function formatSignatureLine({ name, id, bytes }: NoteSignature): string {
	return `— ${name} ${encodeBase64(Buffer.concat([Buffer.from(id, "hex"), bytes]))}`;
}

/** The signatures that claim to be `key`'s: same name and same id. */
export function signaturesOf(note: Note, key: VerifierKey): NoteSignature[] {
	return note.signatures.filter(({ name, id }) => name === key.name && id === key.id);
}

/** An Ed25519 signature (type 01) over the text, under the key's name. */
export async function signNote(text: string, name: string, secret: SecretKey): Promise<NoteSignature> {
	const { id } = verifierKey(name, "ed25519", secret.publicKey);
	return { name, id, bytes: await sign(secret, Buffer.from(text)) };
}

/** True when the signature (type 01) is `key`'s over exactly this text. */
export function verifyNote(text: string, signature: NoteSignature, key: VerifierKey): Promise<boolean> {
	return verify(key.publicKey, signature.bytes, Buffer.from(text));
}

/** What a checkpoint, or the note that it is, breaks of its format. */
export function malformed(why: string): SigningError {
	return new SigningError("LOG_CHECKPOINT_MALFORMED", `the log's checkpoint is malformed: ${why}`, {
		hint: "this is not what a registry's log signs; fetch it again, or ask the registry's admin",
	});
}

const SIGNATURE_TYPE_NAMES = Object.keys(SIGNATURE_TYPES) as SignatureType[];

function material(type: SignatureType, publicKey: PublicKey): Uint8Array {
	return Buffer.concat([Buffer.of(SIGNATURE_TYPES[type]), publicKey.bytes]);
}
