// Makes TCP superpackets from what is to be in them. Refuses nothing: also what no sender would send can be made.

/** What a superpacket is made of; everything has a plain default. */
export interface Shape {
	readonly version?: 4 | 6;
	readonly payload: number;
	readonly mss: number;
	/** Bytes of TCP options, a multiple of 4. */
	readonly options?: number;
	readonly flags?: number;
	readonly seq?: number;
	readonly id?: number;
	/** The checksum's field; the pseudo header's sum unless given. */
	readonly check?: number;
	readonly urgent?: number;
	/** Changes bytes at the end, by offset. */
	readonly patch?: Readonly<Record<number, number>>;
	/** Where the bytes that mean nothing come from. */
	readonly random?: () => number;
}

export const FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;
export const ETHERNET = 14;

/** Numbers from 0 to 255 of a seed; the same for the same seed. */
export function bytesOf(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state >>> 24;
	};
}

/** The packet, Ethernet to payload. */
export function superpacket(shape: Shape): Buffer {
	const { version = 4, payload, options = 12, random = bytesOf(1) } = shape;
	const ipLength = version === 4 ? 20 : 40;
	const tcpLength = 20 + options + payload;
	const packet = Buffer.alloc(ETHERNET + ipLength + tcpLength);
	for (const index of packet.keys()) packet[index] = random();
	packet.writeUInt16BE(version === 4 ? 0x0800 : 0x86dd, 12);
	const ip = packet.subarray(ETHERNET);
	if (version === 4) putIpv4(ip, tcpLength, shape.id ?? 1);
	else putIpv6(ip, tcpLength);
	const tcp = ip.subarray(ipLength);
	tcp.writeUInt32BE(shape.seq ?? 1000, 4);
	tcp[12] = ((20 + options) << 2) | (tcp[12]! & 0xf);
	tcp[13] = shape.flags ?? FLAG.ack;
	tcp.writeUInt16BE(shape.check ?? pseudoSum(ip, version, tcpLength), 16);
	tcp.writeUInt16BE(shape.urgent ?? 0, 18);
	for (const [offset, value] of Object.entries(shape.patch ?? {})) packet[Number(offset)] = value;
	return packet;
}

function putIpv4(ip: Buffer, tcpLength: number, id: number): void {
	ip[0] = 0x45;
	ip.writeUInt16BE(20 + tcpLength, 2);
	ip.writeUInt16BE(id, 4);
	ip.writeUInt16BE(0x4000, 6);
	ip[9] = 6;
	ip.writeUInt16BE(0, 10);
	ip.writeUInt16BE(0xffff - onesSum(ip.subarray(0, 20)), 10);
}

function putIpv6(ip: Buffer, tcpLength: number): void {
	ip[0] = 0x60 | (ip[0]! & 0xf);
	ip.writeUInt16BE(tcpLength, 4);
	ip[6] = 6;
}

/** RFC 9293 section 3.1, RFC 8200 section 8.1: of the pseudo header with that length. */
export function pseudoSum(ip: Buffer, version: 4 | 6, tcpLength: number): number {
	const addresses = version === 4 ? ip.subarray(12, 20) : ip.subarray(8, 40);
	const rest = Buffer.alloc(4);
	rest.writeUInt16BE(tcpLength, 0);
	rest.writeUInt16BE(6, 2);
	return onesSum(Buffer.concat([addresses, rest]));
}

/** RFC 1071: the ones' complement sum of 16-bit words. */
export function onesSum(bytes: Buffer): number {
	let sum = 0;
	for (let at = 0; at < bytes.length; at += 2)
		sum += (bytes[at]! << 8) | (at + 1 < bytes.length ? bytes[at + 1]! : 0);
	while (sum > 0xffff) sum = (sum >>> 16) + (sum & 0xffff);
	return sum;
}
