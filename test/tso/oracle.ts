// What a superpacket is to be cut into, written from the kernel's rules and not from the program. Refuses to know whether it is to be cut at all.
import { ETHERNET, FLAG, onesSum } from "./superpacket.ts";

/**
 * The packets of a superpacket of plain TCP on IPv4 or IPv6: net/ipv4/tcp_offload.c tcp_gso_segment(), net/ipv4/af_inet.c
 * inet_gso_segment(), net/ipv6/ip6_offload.c ipv6_gso_segment().
 *
 * CWR is the first segment's, but on a connection with AccECN, where it counts (SKB_GSO_TCP_ACCECN): then it stays in each.
 *
 * The checksum of TCP is still to be finished by whoever sends: its field holds the pseudo header's sum, which changes by the
 * difference of the lengths.
 */
export function segmentsOf(
	superpacket: Buffer,
	mss: number,
	ecn: "rfc3168" | "accecn" = "rfc3168",
): Buffer[] {
	const isIpv4 = superpacket.readUInt16BE(12) === 0x0800;
	const tcpAt = ETHERNET + (isIpv4 ? 20 : 40);
	const headerLength = tcpAt + (superpacket[tcpAt + 12]! >> 4) * 4;
	const headers = superpacket.subarray(0, headerLength);
	const payload = superpacket.subarray(headerLength);
	const count = Math.ceil(payload.length / mss);
	return Array.from({ length: count }, (_, index) => {
		const part = payload.subarray(index * mss, (index + 1) * mss);
		const segment = Buffer.concat([headers, part]);
		const tcp = segment.subarray(tcpAt);
		tcp.writeUInt32BE((headers.readUInt32BE(tcpAt + 4) + index * mss) % 2 ** 32, 4);
		if (index < count - 1) tcp[13]! &= ~(FLAG.fin | FLAG.psh);
		if (index > 0 && ecn === "rfc3168") tcp[13]! &= ~FLAG.cwr;
		tcp.writeUInt16BE(shorter(headers.readUInt16BE(tcpAt + 16), payload.length - part.length), 16);
		if (isIpv4) numberIpv4(segment.subarray(ETHERNET), index);
		else segment.writeUInt16BE(segment.length - tcpAt, ETHERNET + 4);
		return segment;
	});
}

function numberIpv4(ip: Buffer, index: number): void {
	ip.writeUInt16BE(ip.length, 2);
	ip.writeUInt16BE((ip.readUInt16BE(4) + index) % 2 ** 16, 4);
	ip.writeUInt16BE(0, 10);
	ip.writeUInt16BE(0xffff - onesSum(ip.subarray(0, 20)), 10);
}

/** A pseudo header's sum with a length that is `by` less: RFC 1624, in numbers modulo 0xffff where 0xffff is how 0 is written. */
function shorter(sum: number, by: number): number {
	return (((sum - by) % 0xffff) + 0xffff) % 0xffff || 0xffff;
}
