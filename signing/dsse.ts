// DSSE's pre-authentication encoding (secure-systems-lab/dsse, protocol.md, "DSSEv1"): what is signed is the type and the
// exact bytes. Refuses to parse or re-serialise the payload: no canonical form, no second reading of it.

/** The payload type of a bundle's manifest, kfn.json. */
export const MANIFEST_PAYLOAD_TYPE = "application/vnd.kfn.manifest.v1+json";

/**
 * PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body, LEN in bytes as ASCII decimal.
 * The lengths make it injective: no two (type, body) pairs give the same bytes.
 */
export function pae(payloadType: string, body: Uint8Array): Uint8Array {
	const type = Buffer.from(payloadType, "utf8");
	const head = Buffer.concat([
		Buffer.from(`DSSEv1 ${type.byteLength} `),
		type,
		Buffer.from(` ${body.byteLength} `),
	]);
	const encoded = new Uint8Array(head.byteLength + body.byteLength);
	encoded.set(head, 0);
	encoded.set(body, head.byteLength);
	return encoded;
}
