// Layers between Ethernet and IP, and instead of IP, for packet(). Refuses a meaning beyond the fields that lengths depend on.
import { be16, be32, concat, ETHERTYPE, type Layer, MAC_A, MAC_B } from "./packet.ts";

const PPP_OF = new Map<number, number>([
	[ETHERTYPE.ip, 0x0021],
	[ETHERTYPE.ipv6, 0x0057],
	[0x8847, 0x0281],
	[0x8848, 0x0283],
]);

/** RFC 2516: a session packet. `compressed` gives the protocol field of one byte that RFC 2516 section 7 forbids. */
export function pppoe(
	options: {
		protocol?: number;
		compressed?: boolean;
		versionType?: number;
		code?: number;
		length?: number;
	} = {},
): Layer {
	return {
		ethertype: 0x8864,
		encode(payload, next) {
			const protocol = options.protocol ?? PPP_OF.get(next?.ethertype ?? 0) ?? 0xc021;
			const field = options.compressed ? Uint8Array.of(protocol) : be16(protocol);
			return concat(
				Uint8Array.of(options.versionType ?? 0x11, options.code ?? 0),
				be16(0x2a),
				be16(options.length ?? field.length + payload.length),
				field,
				payload,
			);
		},
	};
}

/** IEC 62439-3: the HSR tag; ethertype 0x88fb is HSR version 0 and PRP supervision. */
export function hsr(options: { type?: number; inner?: number } = {}): Layer {
	return {
		ethertype: options.type ?? 0x892f,
		encode: (payload, next) =>
			concat(
				be16(0x1000 | (payload.length + 6)),
				be16(7),
				be16(options.inner ?? next?.ethertype ?? 0xffff),
				payload,
			),
	};
}

/** batman-adv compatibility version 15; type 0x40 is unicast, and carries an Ethernet frame. */
export function batadv(options: { type?: number; version?: number; inner?: number } = {}): Layer {
	return {
		ethertype: 0x4305,
		encode: (payload, next) =>
			concat(
				Uint8Array.of(options.type ?? 0x40, options.version ?? 15, 50, 1),
				MAC_B,
				...[MAC_A, MAC_B, be16(options.inner ?? next?.ethertype ?? 0xffff)],
				payload,
			),
	};
}

/** FC-BB-5: 14 bytes of FCoE and the 24 of a Fibre Channel header. */
export function fcoe(): Layer {
	return {
		ethertype: 0x8906,
		encode: (payload) =>
			concat(new Uint8Array(13), Uint8Array.of(0x2e), new Uint8Array(24).fill(0x22), payload),
	};
}

/** IEEE 1588 clause 13: a Sync message. */
export function ptp(): Layer {
	return {
		ethertype: 0x88f7,
		encode: (payload) =>
			concat(Uint8Array.of(0, 2), be16(44), new Uint8Array(30), payload, new Uint8Array(10)),
	};
}

/** IEEE 802.1ag: a continuity check. */
export function cfm(): Layer {
	return { ethertype: 0x8902, encode: () => concat(Uint8Array.of(0xa0, 1, 4, 70), new Uint8Array(71)) };
}

/** TIPC over Ethernet: four words, of which the last names the sender; a keepalive is user 7 with the bit for it. */
export function tipc(options: { keepalive?: boolean; node?: number } = {}): Layer {
	const word = options.keepalive ? 0x4e080018 : 0x40000018;
	return {
		ethertype: 0x88ca,
		encode: (payload) =>
			concat(be32(word), be32(0), be32(0x01001001), be32(options.node ?? 0x01001002), payload),
	};
}
