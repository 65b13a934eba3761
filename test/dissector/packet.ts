// Packets from layers: each knows its RFC's layout, its length fields and its checksum. Refuses to make a valid packet
// invalid by itself: whoever wants one cut or twisted does that to the bytes.

/** One header. The layer above it asks for `ethertype` or `protocol`; `encode` gets everything that follows, encoded. */
export interface Layer {
	readonly ethertype?: number;
	readonly protocol?: number;
	/** Of IP layers: the pseudo header for a transport checksum (RFC 9293 section 3.1, RFC 8200 section 8.1). */
	readonly pseudo?: (protocol: number, length: number) => Uint8Array;
	readonly encode: (payload: Uint8Array, next: Layer | undefined, network: Layer | undefined) => Uint8Array;
}

export const ETHERTYPE = {
	ip: 0x0800,
	arp: 0x0806,
	rarp: 0x8035,
	teb: 0x6558,
	vlan: 0x8100,
	ipv6: 0x86dd,
} as const;
export const TYPE_MPLS = 0x8847;
export const TYPE_S_TAG = 0x88a8;

/** Encodes a stack of layers, outermost first. */
export function packet(...layers: readonly Layer[]): Uint8Array {
	let bytes: Uint8Array = new Uint8Array(0);
	for (let index = layers.length - 1; index >= 0; index--) {
		const network = layers.slice(0, index).findLast((layer) => layer.pseudo !== undefined);
		bytes = layers[index]!.encode(bytes, layers[index + 1], network);
	}
	return bytes;
}

/** RFC 1071. */
export function internetChecksum(...parts: readonly Uint8Array[]): number {
	const bytes = concat(...parts);
	let sum = 0;
	for (let index = 0; index < bytes.length; index += 2) sum += (bytes[index]! << 8) | (bytes[index + 1] ?? 0);
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
	return ~sum & 0xffff;
}

/** Ethernet II, IEEE 802.3 clause 3. */
export function eth(options: { type?: number } = {}): Layer {
	return {
		encode: (payload, next) => concat(MAC_B, MAC_A, be16(options.type ?? next?.ethertype ?? 0xffff), payload),
	};
}

/** A VLAN tag; `tpid` 0x88a8 for a service tag. */
export function vlan(id: number, options: { tpid?: number; type?: number } = {}): Layer {
	return {
		ethertype: options.tpid ?? ETHERTYPE.vlan,
		encode: (payload, next) => concat(be16(id), be16(options.type ?? next?.ethertype ?? 0xffff), payload),
	};
}

/** RFC 791; `fragment` is the whole field: flags and offset in units of 8 bytes. */
export function ipv4(
	options: { src?: string; dst?: string; protocol?: number; fragment?: number; options?: Uint8Array } = {},
): Layer {
	const addresses = concat(address4(options.src ?? "192.0.2.1"), address4(options.dst ?? "198.51.100.2"));
	return {
		ethertype: ETHERTYPE.ip,
		protocol: 4,
		pseudo: (protocol, length) => concat(addresses, Uint8Array.of(0, protocol), be16(length)),
		encode(payload, next) {
			const extra = options.options ?? new Uint8Array(0);
			const length = 20 + extra.length;
			const head = concat(
				Uint8Array.of(0x40 | (length / 4), 0),
				be16(length + payload.length),
				be16(0x1234),
				be16(options.fragment ?? 0),
				Uint8Array.of(64, options.protocol ?? next?.protocol ?? 253, 0, 0),
				addresses,
				extra,
			);
			head.set(be16(internetChecksum(head)), 10);
			return concat(head, payload);
		},
	};
}

/** RFC 8200 section 3. */
export function ipv6(options: { src?: string; dst?: string; protocol?: number; label?: number } = {}): Layer {
	const addresses = concat(address6(options.src ?? "2001:db8::1"), address6(options.dst ?? "2001:db8:1::2"));
	return {
		ethertype: ETHERTYPE.ipv6,
		protocol: 41,
		pseudo: (protocol, length) => concat(addresses, be32(length), be32(protocol)),
		encode: (payload, next) =>
			concat(
				be32(0x60000000 + (options.label ?? 0)),
				be16(payload.length),
				Uint8Array.of(options.protocol ?? next?.protocol ?? 253, 64),
				addresses,
				payload,
			),
	};
}

/** Hop-by-hop (0), routing (43) or destination options (60), `units` × 8 bytes long, filled with PadN or a type-4 route. */
export function extension(protocol: 0 | 43 | 60, units = 1, following?: number): Layer {
	return {
		protocol,
		encode(payload, next) {
			const body = new Uint8Array(units * 8 - 2);
			if (protocol === 43) body.set([4, 0, (units - 1) / 2]);
			else body.set([1, body.length - 2]);
			return concat(Uint8Array.of(following ?? next?.protocol ?? 59, units - 1), body, payload);
		},
	};
}

/** RFC 8200 section 4.5; `offset` in units of 8 bytes. */
export function fragment6(offset: number, more: boolean): Layer {
	return {
		protocol: 44,
		encode: (payload, next) =>
			concat(
				Uint8Array.of(next?.protocol ?? 59, 0),
				be16((offset << 3) | Number(more)),
				be32(0xabad1dea),
				payload,
			),
	};
}

/** RFC 2784 with RFC 2890's options; `version` 1 and `routing` only to show what is left alone. */
export function gre(
	options: {
		csum?: boolean;
		key?: number;
		seq?: number;
		routing?: boolean;
		version?: number;
		type?: number;
	} = {},
): Layer {
	return {
		protocol: 47,
		encode(payload, next) {
			const bits =
				(options.csum ? 0x8000 : 0) |
				(options.routing ? 0x4000 : 0) |
				(options.key === undefined ? 0 : 0x2000) |
				(options.seq === undefined ? 0 : 0x1000) |
				(options.version ?? 0);
			const bytes = concat(
				be16(bits),
				be16(options.type ?? next?.ethertype ?? ETHERTYPE.teb),
				options.csum ? new Uint8Array(4) : NOTHING,
				options.key === undefined ? NOTHING : be32(options.key),
				options.seq === undefined ? NOTHING : be32(options.seq),
				payload,
			);
			if (options.csum) bytes.set(be16(internetChecksum(bytes)), 4);
			return bytes;
		},
	};
}

/** RFC 3032: one entry, the bottom of the stack unless said otherwise. */
export function mpls(label: number, options: { bottom?: boolean; type?: number } = {}): Layer {
	return {
		ethertype: options.type ?? TYPE_MPLS,
		protocol: 137,
		encode: (payload) => concat(be32(label * 0x1000 + (options.bottom === false ? 0 : 0x100) + 64), payload),
	};
}

/** RFC 826, a request. */
export function arp(options: { reverse?: boolean } = {}): Layer {
	return {
		ethertype: options.reverse ? ETHERTYPE.rarp : ETHERTYPE.arp,
		encode: () =>
			concat(
				be16(1),
				be16(ETHERTYPE.ip),
				Uint8Array.of(6, 4),
				be16(options.reverse ? 3 : 1),
				MAC_A,
				address4("192.0.2.1"),
				new Uint8Array(6),
				address4("192.0.2.254"),
			),
	};
}

/** RFC 9293 section 3.1, without options. */
export function tcp(sport = 1025, dport = 443): Layer {
	return {
		protocol: 6,
		encode(payload, _next, network) {
			const ports = concat(be16(sport), be16(dport));
			const rest = concat(be32(1), be32(2), be16(0x5010), be16(512), new Uint8Array(4));
			const bytes = concat(ports, rest, payload);
			bytes.set(be16(transportChecksum(network, 6, bytes)), 16);
			return bytes;
		},
	};
}

/** RFC 768, or RFC 3828 with `lite`. */
export function udp(sport = 1025, dport = 53, options: { lite?: boolean } = {}): Layer {
	const protocol = options.lite ? 136 : 17;
	return {
		protocol,
		encode(payload, _next, network) {
			const length = options.lite ? 0 : 8 + payload.length;
			const bytes = concat(be16(sport), be16(dport), be16(length), be16(0), payload);
			bytes.set(be16(transportChecksum(network, protocol, bytes) || 0xffff), 6);
			return bytes;
		},
	};
}

/** Any other protocol: its number and its first bytes. */
export function transport(protocol: number, first: Uint8Array): Layer {
	return { protocol, encode: (payload) => concat(first, payload) };
}

export function data(text: string): Layer {
	return { encode: () => new TextEncoder().encode(text) };
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
	return new Uint8Array(Buffer.concat(parts));
}

export function be16(value: number): Uint8Array {
	return Uint8Array.of((value >>> 8) & 0xff, value & 0xff);
}

export function be32(value: number): Uint8Array {
	return concat(be16(value >>> 16), be16(value));
}

const NOTHING = new Uint8Array(0);
export const MAC_A = Uint8Array.of(0x02, 0, 0, 0, 0, 0x0a);
export const MAC_B = Uint8Array.of(0x02, 0, 0, 0, 0, 0x0b);

function transportChecksum(network: Layer | undefined, protocol: number, bytes: Uint8Array): number {
	if (network?.pseudo === undefined) throw new Error("a transport layer needs an IP layer above it");
	return internetChecksum(network.pseudo(protocol, bytes.length), bytes);
}

function address4(text: string): Uint8Array {
	return Uint8Array.from(text.split("."), Number);
}

function address6(text: string): Uint8Array {
	const [left = "", right = ""] = text.split("::");
	const words = (part: string) =>
		part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
	const head = words(left);
	const tail = words(right);
	const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0);
	return concat(...[...head, ...zeros, ...tail].map(be16));
}
