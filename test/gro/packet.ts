// Ethernet frames with TCP for batches, every field settable, checksums right unless asked otherwise. Refuses to know what GRO does with them.

export interface Spec {
	/** Of the IP version; 4 unless given. */
	readonly version?: 4 | 6;
	readonly seq?: number;
	readonly ack?: number;
	readonly flags?: number;
	readonly window?: number;
	readonly urgent?: number;
	readonly sport?: number;
	readonly dport?: number;
	/** TCP options, a multiple of 4 bytes. */
	readonly options?: readonly number[];
	readonly payload?: number;
	/** Of the payload's bytes, so that two packets' contents differ. */
	readonly fill?: number;
	readonly id?: number;
	/** The flag bits and the offset of IPv4: DF unless given. */
	readonly fragment?: number;
	readonly ttl?: number;
	readonly tos?: number;
	readonly label?: number;
	/** IPv4 options, or whole IPv6 extension headers with their kinds. */
	readonly ipOptions?: readonly number[];
	readonly extensions?: readonly { readonly kind: number; readonly body: readonly number[] }[];
	readonly protocol?: number;
	/** A packet instead of the TCP segment; no checksum is written into it. */
	readonly inner?: Uint8Array;
	readonly source?: number;
	readonly mac?: number;
	readonly etherType?: number;
	/** Added to what the field should hold. */
	readonly wrong?: {
		readonly tcp?: number;
		readonly ip?: number;
		readonly length?: number;
		readonly offset?: number;
	};
	/** Bytes behind the IP packet, as an Ethernet trailer is. */
	readonly trailer?: number;
	/** The frame ends early. */
	readonly cut?: number;
}

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;
export const URG = 32;
export const ECE = 64;
export const CWR = 128;
export const DF = 0x4000;

/** NOP, NOP, timestamps (RFC 7323). */
export function timestamps(value: number, echo = 7): readonly number[] {
	const bytes = Buffer.alloc(12);
	bytes.set([1, 1, 8, 10]);
	bytes.writeUInt32BE(value, 4);
	bytes.writeUInt32BE(echo, 8);
	return [...bytes];
}

/** The one's complement sum over bytes, not complemented. */
export function sum16(bytes: Uint8Array, start = 0): number {
	let sum = start;
	for (let i = 0; i + 1 < bytes.length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
	if (bytes.length % 2 === 1) sum += bytes[bytes.length - 1]! << 8;
	while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536);
	return sum;
}

export function frame(spec: Spec): Buffer {
	const tcp = spec.inner === undefined ? segment(spec) : Buffer.from(spec.inner);
	const network = spec.version === 6 ? ipv6(spec, tcp) : ipv4(spec, tcp);
	const ethernet = Buffer.from([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, spec.mac ?? 2, 0, 0]);
	ethernet.writeUInt16BE(spec.etherType ?? (spec.version === 6 ? 0x86dd : 0x0800), 12);
	const whole = Buffer.concat([ethernet, network, Buffer.alloc(spec.trailer ?? 0)]);
	return whole.subarray(0, spec.cut ?? whole.length);
}

function segment(spec: Spec): Buffer {
	const options = spec.options ?? [];
	const bytes = Buffer.alloc(20 + options.length + (spec.payload ?? 100), spec.fill ?? 0x61);
	bytes.fill(0, 0, 20);
	bytes.writeUInt16BE(spec.sport ?? 1000, 0);
	bytes.writeUInt16BE(spec.dport ?? 2000, 2);
	bytes.writeUInt32BE((spec.seq ?? 1) >>> 0, 4);
	bytes.writeUInt32BE((spec.ack ?? 7) >>> 0, 8);
	bytes[12] = ((20 + options.length) / 4 + (spec.wrong?.offset ?? 0)) << 4;
	bytes[13] = spec.flags ?? ACK;
	bytes.writeUInt16BE(spec.window ?? 500, 14);
	bytes.writeUInt16BE(spec.urgent ?? 0, 18);
	bytes.set(options, 20);
	return bytes;
}

/** Writes the checksum over the pseudo header of these addresses. */
function sealed(spec: Spec, tcp: Buffer, addresses: Uint8Array): Buffer {
	if (spec.inner !== undefined) return tcp;
	const sum = 0xffff ^ sum16(tcp, sum16(addresses) + (spec.protocol ?? 6) + tcp.length);
	tcp.writeUInt16BE((sum + (spec.wrong?.tcp ?? 0)) & 0xffff, 16);
	return tcp;
}

function ipv4(spec: Spec, tcp: Buffer): Buffer {
	const options = spec.ipOptions ?? [];
	const header = Buffer.alloc(20 + options.length);
	header[0] = 0x40 + header.length / 4;
	header[1] = spec.tos ?? 0;
	header.writeUInt16BE(header.length + tcp.length + (spec.wrong?.length ?? 0), 2);
	header.writeUInt16BE((spec.id ?? 0) & 0xffff, 4);
	header.writeUInt16BE(spec.fragment ?? DF, 6);
	header[8] = spec.ttl ?? 64;
	header[9] = spec.protocol ?? 6;
	header.set([192, 0, 2, spec.source ?? 1, 198, 51, 100, 2], 12);
	header.set(options, 20);
	header.writeUInt16BE(((0xffff ^ sum16(header)) + (spec.wrong?.ip ?? 0)) & 0xffff, 10);
	return Buffer.concat([header, sealed(spec, tcp, header.subarray(12, 20))]);
}

function ipv6(spec: Spec, tcp: Buffer): Buffer {
	const extensions = spec.extensions ?? [];
	const chain = extensions.map(({ body }, index) => {
		const next = extensions[index + 1]?.kind ?? spec.protocol ?? 6;
		return Buffer.from([next, (body.length + 2) / 8 - 1, ...body]);
	});
	const header = Buffer.alloc(40);
	header.writeUInt32BE((0x60000000 | ((spec.tos ?? 0) << 20) | (spec.label ?? 0)) >>> 0, 0);
	const length = chain.reduce((sum, { length }) => sum + length, tcp.length);
	header.writeUInt16BE(length + (spec.wrong?.length ?? 0), 4);
	header[6] = extensions[0]?.kind ?? spec.protocol ?? 6;
	header[7] = spec.ttl ?? 64;
	header.set([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, spec.source ?? 1], 8);
	header.set([0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 24);
	return Buffer.concat([header, ...chain, sealed(spec, tcp, header.subarray(8, 40))]);
}
