// The traffic shapes that flow dissectors are timed on: one well-formed packet each. Refuses to be a test corpus: odd
// packets are test/dissector's.
import {
	be16,
	be32,
	concat,
	data,
	ETHERTYPE,
	eth,
	extension,
	gre,
	ipv4,
	ipv6,
	type Layer,
	mpls,
	packet,
	TYPE_S_TAG,
	tcp,
	udp,
	vlan,
} from "#test/dissector/packet.ts";

export interface Shape {
	readonly name: string;
	readonly data: Uint8Array;
	/** For dissectors that are told VXLAN's port; all others are for those that are told none. */
	readonly vxlanPort: boolean;
}

const PAYLOAD = data("kfn's benchmark");
/** IANA's port of VXLAN, RFC 7348 section 8. */
export const VXLAN_PORT = 4789;

/** RFC 2516 section 4: version 1, type 1, session stage; IPv4 follows, RFC 1332. */
const pppoe: Layer = {
	ethertype: 0x8864,
	encode: (payload) => concat(be16(0x1100), be16(0x0077), be16(payload.length + 2), be16(0x0021), payload),
};

/** RFC 8754 section 2: two segments, the second of them active. */
const segmentRouting: Layer = {
	protocol: 43,
	encode: (payload, next) =>
		concat(
			Uint8Array.of(next?.protocol ?? 59, 4, 4, 1, 1, 0, 0, 0),
			...[1, 2].map((host) => concat(be32(0x20010db8), be32(0x50000), be32(0), be32(host))),
			payload,
		),
};

/** RFC 7348 section 5. */
const vxlan: Layer = { encode: (payload) => concat(be32(0x08000000), be32(42 << 8), payload) };

const inner = [ipv4({ src: "10.0.0.1", dst: "10.0.0.2" }), tcp(), PAYLOAD];
const overVxlan = [ipv4(), udp(49152, VXLAN_PORT), vxlan, eth(), ...inner];

function shape(name: string, layers: readonly Layer[], vxlanPort = false): Shape {
	return { name, data: packet(eth(), ...layers), vxlanPort };
}

export const SHAPES: readonly Shape[] = [
	shape("ipv4-tcp", [ipv4(), tcp(), PAYLOAD]),
	shape("ipv4-udp", [ipv4(), udp(), PAYLOAD]),
	shape("ipv6-tcp", [ipv6({ label: 0xabcde }), tcp(), PAYLOAD]),
	shape("ipv6-udp", [ipv6({ label: 0xabcde }), udp(), PAYLOAD]),
	shape("vlan", [vlan(100), ipv4(), tcp(), PAYLOAD]),
	shape("qinq", [vlan(100, { tpid: TYPE_S_TAG }), vlan(200), ipv4(), tcp(), PAYLOAD]),
	shape("ipv6-extensions", [ipv6(), extension(0), extension(60), tcp(), PAYLOAD]),
	shape("srv6", [ipv6(), segmentRouting, ...inner]),
	shape("gre-teb", [ipv4(), gre({ type: ETHERTYPE.teb }), eth(), ...inner]),
	shape("pppoe", [pppoe, ipv4(), tcp(), PAYLOAD]),
	shape("mpls", [mpls(100), ...inner]),
	shape("vxlan", overVxlan),
	shape("vxlan-port-configured", overVxlan, true),
];
