// DSSE envelopes as JSON (secure-systems-lab/dsse, envelope.md): a payload, its type, signatures over both. Refuses every
// spelling but one, and another payload type than the one asked for; verifies nothing: that is verify.ts.
import { encodeBase64 } from "./base64.ts";
import { pae } from "./dsse.ts";
import type { SecretKey } from "./ed25519.ts";
import type { SigningError } from "./errors.ts";
import { parseSignatureList, type Signature, signatureListValue, withSignature } from "./signature-list.ts";
import { decodeUtf8, hasExactly, parseStrictJson } from "./strict-json.ts";

/** What distinguishes one format of payload from another. */
export interface PayloadForm {
	/** The media type that is signed with the bytes, so that no other format's signature passes for one of these. */
	readonly payloadType: string;
	/** Limits in bytes. */
	readonly payloadBytes: number;
	readonly envelopeBytes: number;
	readonly malformed: (why: string) => SigningError;
}

/** One envelope: what somebody claims to have signed. Nothing is verified by holding one. */
export interface DsseEnvelope {
	readonly payloadType: string;
	/** The exact bytes that are signed. */
	readonly payload: Uint8Array;
	readonly signatures: readonly Signature[];
}

/** An envelope as a JSON value, as other documents embed it. */
export interface EnvelopeValue {
	readonly payload: string;
	readonly payloadType: string;
	readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** Parses a file; anything but what {@link serializeDsseEnvelope} writes is the form's `malformed`, a key twice SIGNATURE_REPEATED. */
export function parseDsseEnvelope(bytes: Uint8Array, form: PayloadForm): DsseEnvelope {
	const text = decodeUtf8(bytes, form.envelopeBytes);
	const file = text === undefined ? undefined : parseStrictJson(text);
	const envelope = envelopeOfValue(file, form);
	if (Buffer.from(bytes).equals(serializeDsseEnvelope(envelope))) return envelope;
	throw form.malformed(
		"it is not in its canonical spelling (order of fields and key ids, indentation, final newline)",
	);
}

/** Reads an envelope out of a document that was parsed already; errors as {@link parseDsseEnvelope}, the order of fields is free. */
export function envelopeOfValue(value: unknown, form: PayloadForm): DsseEnvelope {
	if (!hasExactly(value, ["payload", "payloadType", "signatures"]))
		throw form.malformed("it is not JSON with its three fields");
	if (value.payloadType !== form.payloadType)
		throw form.malformed(`its payloadType is not ${form.payloadType}`);
	const payload = typeof value.payload === "string" ? payloadOf(value.payload, form) : undefined;
	if (payload === undefined)
		throw form.malformed(`its payload is not canonical base64 of at most ${form.payloadBytes} bytes`);
	const signatures = parseSignatureList(value.signatures, form.malformed);
	return { payloadType: form.payloadType, payload, signatures };
}

/** The canonical bytes: fields in fixed order, signatures sorted by key id, two spaces of indentation, a final newline. */
export function serializeDsseEnvelope(envelope: DsseEnvelope): Uint8Array {
	return new TextEncoder().encode(`${JSON.stringify(envelopeValue(envelope), null, 2)}\n`);
}

export function envelopeValue({ payload, payloadType, signatures }: DsseEnvelope): EnvelopeValue {
	return { payload: encodeBase64(payload), payloadType, signatures: signatureListValue(signatures) };
}

/** The envelope with `secret`'s signature added, as {@link withSignature} does. */
export async function signDsseEnvelope(envelope: DsseEnvelope, secret: SecretKey): Promise<DsseEnvelope> {
	const message = pae(envelope.payloadType, envelope.payload);
	return { ...envelope, signatures: await withSignature(envelope.signatures, secret, message) };
}

function payloadOf(text: string, form: PayloadForm): Uint8Array | undefined {
	if (text.length > 4 * Math.ceil(form.payloadBytes / 3)) return undefined;
	const bytes = Buffer.from(text, "base64");
	// One spelling, as base64.ts demands; here the length is not known beforehand.
	if (bytes.byteLength > form.payloadBytes || bytes.toString("base64") !== text) return undefined;
	return new Uint8Array(bytes);
}
