// Tunnels over GRE version 1 and UDP, for packet(). Refuses to know which ports an operator uses: the caller says.
import { be16, be32, concat, ETHERTYPE, type Layer, udp } from "./packet.ts";

/** RFC 2637 section 4.1 with the PPP header that follows. */
export function pptp(
	options: {
		key?: boolean;
		seq?: boolean;
		ack?: boolean;
		csum?: boolean;
		type?: number;
		protocol?: number;
	} = {},
): Layer {
	const { key = true, seq = true, ack = false, csum = false } = options;
	const bits = (csum ? 0x8000 : 0) | (key ? 0x2000 : 0) | (seq ? 0x1000 : 0) | (ack ? 0x0080 : 0) | 1;
	return {
		protocol: 47,
		encode(payload, next) {
			const carried = next?.ethertype === ETHERTYPE.ipv6 ? 0x0057 : 0x0021;
			return concat(
				be16(bits),
				be16(options.type ?? 0x880b),
				...(csum ? [new Uint8Array(4)] : []),
				...(key ? [be16(payload.length + 4), be16(0x1234)] : []),
				...(seq ? [be32(1)] : []),
				...(ack ? [be32(2)] : []),
				Uint8Array.of(0xff, 0x03),
				be16(options.protocol ?? carried),
				payload,
			);
		},
	};
}

function over(port: number, source: number | undefined, encode: Layer["encode"]): Layer {
	const outer = udp(source ?? 49152, port);
	return {
		protocol: 17,
		encode: (payload, next, network) => outer.encode(encode(payload, next, network), next, network),
	};
}

/** RFC 7348 section 5; eth() follows. `flags` 0 lacks the one that must be set. */
export function vxlan(port: number, options: { flags?: number; source?: number } = {}): Layer {
	return over(port, options.source, (payload) =>
		concat(Uint8Array.of(options.flags ?? 0x08, 0, 0, 0), be32(0x2a00), payload),
	);
}

/** RFC 8926 section 3.4; `words` of options; without a network layer eth() follows. */
export function geneve(
	port: number,
	options: { words?: number; version?: number; control?: boolean; type?: number; source?: number } = {},
): Layer {
	const { words = 0, version = 0, control = false } = options;
	return over(port, options.source, (payload, next) =>
		concat(
			Uint8Array.of((version << 6) | words, control ? 0x80 : 0),
			be16(options.type ?? next?.ethertype ?? ETHERTYPE.teb),
			be32(0x2a00),
			new Uint8Array(words * 4),
			payload,
		),
	);
}

/** draft-ietf-intarea-gue-09 section 3: an IP protocol follows. */
export function gue(
	port: number,
	options: { words?: number; control?: boolean; protocol?: number; variant?: number; source?: number } = {},
): Layer {
	const { words = 0, control = false, variant = 0 } = options;
	return over(port, options.source, (payload, next) =>
		concat(
			Uint8Array.of((variant << 6) | (control ? 0x20 : 0) | words, options.protocol ?? next?.protocol ?? 59),
			be16(0),
			new Uint8Array(words * 4),
			payload,
		),
	);
}

/** UDP on `port` with the next layer at once: GUE's variant 1, and MPLS in UDP (RFC 7510). */
export function direct(port: number, options: { source?: number } = {}): Layer {
	return over(port, options.source, (payload) => payload);
}
