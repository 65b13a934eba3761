// DER (X.690) as far as certificates and detached PKCS#7 signatures need it. Refuses indefinite and non-minimal lengths,
// and tags of more than one byte: nothing here has them.

export const DER = {
	boolean: 0x01,
	integer: 0x02,
	bitString: 0x03,
	octetString: 0x04,
	null: 0x05,
	oid: 0x06,
	utf8String: 0x0c,
	utcTime: 0x17,
	generalizedTime: 0x18,
	sequence: 0x30,
	set: 0x31,
} as const;

/** The tag of a context-specific field, `[n]`; constructed unless it holds bytes of its own. */
export const contextTag = (n: number, constructed = true): number => (constructed ? 0xa0 : 0x80) + n;

export interface DerValue {
	readonly tag: number;
	readonly content: Uint8Array;
}

/** One value: tag, length, the contents one after the other. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
	const content = Buffer.concat(contents);
	return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

function lengthOf(length: number): Buffer {
	if (length < 0x80) return Buffer.from([length]);
	const digits = Buffer.from(length.toString(16).padStart(length > 0xff ? 4 : 2, "0"), "hex");
	return Buffer.concat([Buffer.from([0x80 + digits.length]), digits]);
}

/** The values that follow each other in `bytes`, to the last byte; undefined where they are not in DER. */
export function readDer(bytes: Uint8Array): DerValue[] | undefined {
	const values: DerValue[] = [];
	for (let at = 0; at < bytes.length; ) {
		const [tag, first] = [bytes[at]!, bytes[at + 1]];
		if (first === undefined || (tag & 0x1f) === 0x1f) return undefined;
		const digits = first < 0x80 ? 0 : first - 0x80;
		const start = at + 2 + digits;
		const length = digits === 0 ? first : longLength(bytes.subarray(at + 2, start), digits);
		if (length === undefined || start + length > bytes.length) return undefined;
		values.push({ tag, content: bytes.subarray(start, start + length) });
		at = start + length;
	}
	return values;
}

/** At most two digits: what is larger than 64 KiB is neither a certificate nor a signature. */
function longLength(digits: Uint8Array, wanted: number): number | undefined {
	if (wanted === 0 || wanted > 2 || digits.length !== wanted || digits[0] === 0) return undefined;
	const length = digits.reduce((sum, digit) => sum * 256 + digit, 0);
	return length < 0x80 ? undefined : length;
}

/** Follows `path` from `bytes`: at each step the value in that place, which must have that tag, is opened. */
export function digDer(bytes: Uint8Array, ...path: readonly (readonly [place: number, tag: number])[]) {
	let content: Uint8Array | undefined = bytes;
	for (const [place, tag] of path) {
		const value: DerValue | undefined = content && readDer(content)?.[place];
		content = value?.tag === tag ? value.content : undefined;
	}
	return content;
}
