// One packet for each protocol, and what may tell two flows of it apart: rows of the table in the package's README. Refuses
// to say which dissector sees it; a test asks two of them.
import { batadv, cfm, fcoe, hsr, pppoe, ptp, tipc } from "./link-layers.ts";
import {
	arp,
	be32,
	concat,
	eth,
	extension,
	fragment6,
	gre,
	ipv4,
	ipv6,
	type Layer,
	mpls,
	packet,
	TYPE_S_TAG,
	tcp,
	transport,
	udp,
	vlan,
} from "./packet.ts";
import { direct, geneve, gue, pptp, vxlan } from "./tunnel-layers.ts";

export interface Protocol {
	readonly name: string;
	readonly spec: string;
	readonly packet: Uint8Array;
	/** The same packet of another flow, by what makes it one. */
	readonly others: readonly (readonly [string, Uint8Array])[];
	/** What the kernel's sample does (tools/testing/selftests/bpf/progs/bpf_flow.c, 6.12), by reading it. */
	readonly sample: string;
	/** With the tunnels' ports configured. */
	readonly tunnels: boolean;
}

/** What a flow is: two addresses and ports at some depth, and what each row adds. */
type Flow = { src?: string; src6?: string; port?: number; extra?: number };
type Build = (flow: Required<Flow>) => readonly Layer[];

const FLOW: Required<Flow> = { src: "192.0.2.7", src6: "2001:db8::7", port: 1025, extra: 5 };
const ADDRESSES: Flow = { src: "192.0.2.8", src6: "2001:db8::8" };
const PORTS: Flow = { port: 1026 };
const EXTRA: Flow = { extra: 6 };

function row(
	name: string,
	spec: string,
	build: Build,
	others: Readonly<Record<string, Flow>>,
	sample: string,
	tunnels = false,
): Protocol {
	const of = (flow: Flow) => packet(eth(), ...build({ ...FLOW, ...flow }));
	return {
		name,
		spec,
		packet: of({}),
		others: Object.entries(others).map(([what, flow]) => [what, of(flow)] as const),
		sample,
		tunnels,
	};
}

const both = { addresses: ADDRESSES, ports: PORTS };
const inner = { "inner addresses": ADDRESSES, "inner ports": PORTS };
const inside4: Build = ({ src, port }) => [ipv4({ src }), tcp(port)];
const inside6: Build = ({ src6, port }) => [ipv6({ src: src6 }), tcp(port)];
const word = (value: number) => concat(be32(value), be32(1), be32(2));
const over =
	(protocol: number): Build =>
	({ src, extra }) => [ipv4({ src }), transport(protocol, word(extra))];
const some =
	(...layers: readonly Layer[]) =>
	({ src }: Required<Flow>) => [ipv4({ src }), ...layers];
const outer = ipv4({ src: "203.0.113.1" });
const outer6 = ipv6({ src: "2001:db8:f::" });

const outerAndInner = { ...inner, "outer ports": EXTRA };
const overUdp =
	(tunnel: (source: number) => readonly Layer[]): Build =>
	(flow) => [outer, ...tunnel(flow.extra), ...inside4(flow)];

const SEEN = "addresses, ports";
const INNER = "inner addresses, inner ports";
const FAILS = "fails";
const FAILS_IP = "fails; addresses";

const network: readonly Protocol[] = [
	row("TCP on IPv4", "RFC 791, 9293", inside4, both, SEEN),
	row("UDP on IPv4", "RFC 768", ({ src, port }) => [ipv4({ src }), udp(port)], both, SEEN),
	row("UDP-Lite", "RFC 3828", ({ src, port }) => [ipv4({ src }), udp(port, 9, { lite: true })], both, SEEN),
	row("SCTP", "RFC 9260", over(132), { addresses: ADDRESSES, ports: EXTRA }, FAILS_IP),
	row("DCCP", "RFC 4340", over(33), { addresses: ADDRESSES, ports: EXTRA }, FAILS_IP),
	row("ESP", "RFC 4303", over(50), { addresses: ADDRESSES, SPI: EXTRA }, FAILS_IP),
	row(
		"AH",
		"RFC 4302",
		({ src, extra }) => [ipv4({ src }), transport(51, concat(be32(0x06040000), be32(extra), be32(1)))],
		{ addresses: ADDRESSES, SPI: EXTRA },
		FAILS_IP,
	),
	row("ICMP", "RFC 792", over(1), { addresses: ADDRESSES, message: EXTRA }, "addresses"),
	row("IGMP", "RFC 9776", over(2), { addresses: ADDRESSES, message: EXTRA }, FAILS_IP),
	row("L2TP", "RFC 3931", over(115), { addresses: ADDRESSES, session: EXTRA }, FAILS_IP),
	row("RSVP and other IP protocols", "IANA", over(46), { addresses: ADDRESSES, message: EXTRA }, FAILS_IP),
	row(
		"IPv4 options",
		"RFC 791",
		({ src, port }) => [ipv4({ src, options: new Uint8Array(8).fill(1) }), tcp(port)],
		both,
		SEEN,
	),
	row(
		"IPv4 fragments",
		"RFC 791",
		({ src, port }) => [ipv4({ src, fragment: 0x2000 }), udp(port)],
		both,
		"addresses",
	),
	row("TCP on IPv6", "RFC 8200, 9293", inside6, both, SEEN),
	row(
		"flow label",
		"RFC 6437",
		({ src6, port, extra }) => [ipv6({ src: src6, label: extra }), tcp(port)],
		{ ...both, label: EXTRA },
		"addresses, label",
	),
	row(
		"ICMPv6",
		"RFC 4443",
		({ src6, extra }) => [ipv6({ src: src6 }), transport(58, word(extra))],
		{ addresses: ADDRESSES, message: EXTRA },
		FAILS_IP,
	),
	...(
		[
			["hop-by-hop options", "RFC 8200", 0, SEEN],
			["destination options", "RFC 8200", 60, SEEN],
			["routing header, SRv6", "RFC 8200, 8754", 43, FAILS_IP],
		] as const
	).map(([name, spec, number, sample]) =>
		row(name, spec, ({ src6, port }) => [ipv6({ src: src6 }), extension(number, 3), tcp(port)], both, sample),
	),
	row(
		"fragment header",
		"RFC 8200",
		({ src6, port }) => [ipv6({ src: src6 }), fragment6(0, true), udp(port)],
		both,
		"addresses",
	),
];

const link: readonly Protocol[] = [
	row(
		"802.1Q",
		"IEEE 802.1Q",
		(flow) => [vlan(flow.extra), ...inside4(flow)],
		{ ...both, "VLAN id": EXTRA },
		SEEN,
	),
	row(
		"802.1ad and 802.1Q",
		"IEEE 802.1Q",
		(flow) => [vlan(flow.extra, { tpid: TYPE_S_TAG }), vlan(6), ...inside4(flow)],
		{ ...both, "VLAN id": EXTRA },
		SEEN,
	),
	row(
		"three tags",
		"IEEE 802.1Q",
		(flow) => [vlan(flow.extra), vlan(2), vlan(3), ...inside4(flow)],
		{ ...both, "VLAN id": EXTRA },
		FAILS,
	),
	row("PRP, HSR", "IEC 62439-3", (flow) => [hsr(), ...inside4(flow)], both, FAILS),
	row("PPPoE, IPv4", "RFC 2516", (flow) => [pppoe(), ...inside4(flow)], both, FAILS),
	row("PPPoE, IPv6", "RFC 2516, 5072", (flow) => [pppoe(), ...inside6(flow)], both, FAILS),
	row(
		"PPPoE, compressed protocol",
		"RFC 2516 section 7",
		(flow) => [pppoe({ protocol: 0x21, compressed: true }), ...inside4(flow)],
		both,
		FAILS,
	),
	row("batman-adv", "batadv_packet.h", (flow) => [batadv(), ...inside4(flow)], inner, FAILS),
	row(
		"MPLS",
		"RFC 3032",
		(flow) => [mpls(flow.extra), ...inside4(flow)],
		{ ...both, label: EXTRA },
		"its type",
	),
	row("ARP", "RFC 826", () => [arp()], {}, FAILS),
	row("RARP", "RFC 903", () => [arp({ reverse: true })], {}, FAILS),
	row("TIPC", "tipc.io", ({ extra }) => [tipc({ node: extra })], { node: EXTRA }, FAILS),
	row("FCoE", "FC-BB-5", ({ extra }) => [fcoe(), { encode: () => be32(extra) }], { payload: EXTRA }, FAILS),
	row("PTP", "IEEE 1588", ({ extra }) => [ptp(), { encode: () => be32(extra) }], { payload: EXTRA }, FAILS),
	row("CFM", "IEEE 802.1ag", () => [cfm()], {}, FAILS),
	row(
		"any other ethertype (LLDP)",
		"IEEE 802.1AB",
		({ extra }) => [{ ethertype: 0x88cc, encode: () => word(extra) }],
		{ payload: EXTRA },
		FAILS,
	),
];

const tunnels: readonly Protocol[] = [
	row("IPIP", "RFC 2003", (flow) => [outer, ...inside4(flow)], inner, INNER),
	row("6in4", "RFC 4213", (flow) => [outer, ...inside6(flow)], inner, INNER),
	row("4in6", "RFC 2473", (flow) => [outer6, ...inside4(flow)], inner, INNER),
	row("6in6", "RFC 2473", (flow) => [outer6, ...inside6(flow)], inner, INNER),
	row(
		"GRE, checksum, sequence",
		"RFC 2784, 2890",
		(flow) => [outer, gre({ csum: true, seq: 1 }), ...inside4(flow)],
		inner,
		INNER,
	),
	row(
		"GRE, key",
		"RFC 2890",
		(flow) => [outer, gre({ key: flow.extra }), ...inside4(flow)],
		{ ...inner, key: EXTRA },
		INNER,
	),
	row("GRE, Ethernet (TEB)", "RFC 7637", (flow) => [outer, gre(), eth(), ...inside4(flow)], inner, INNER),
	row(
		"GRE with source routes",
		"RFC 1701",
		(flow) => some(gre({ routing: true }), ipv4(), tcp(flow.port))(flow),
		both,
		"inner addresses, inner ports (misread)",
	),
	row("PPTP", "RFC 2637", (flow) => [outer, pptp(), ...inside4(flow)], inner, "addresses"),
	row(
		"MPLS in IP",
		"RFC 4023",
		(flow) => some(mpls(flow.extra), ipv4(), tcp())(flow),
		{ addresses: ADDRESSES, label: EXTRA },
		FAILS_IP,
	),
	row(
		"VXLAN",
		"RFC 7348",
		overUdp((source) => [vxlan(4789, { source }), eth()]),
		outerAndInner,
		"outer ports",
	),
	...(
		[
			["VXLAN", "RFC 7348", (source: number) => [vxlan(4789, { source }), eth()]],
			["Geneve", "RFC 8926", (source: number) => [geneve(6081, { words: 2, source }), eth()]],
			["GUE", "draft-ietf-intarea-gue", (source: number) => [gue(6080, { source })]],
			["MPLS in UDP", "RFC 7510", (source: number) => [direct(6635, { source }), mpls(18)]],
		] as const
	).map(([name, spec, tunnel]) =>
		row(`${name}, port configured`, spec, overUdp(tunnel), outerAndInner, "outer ports", true),
	),
];

export const PROTOCOLS: readonly Protocol[] = [...network, ...link, ...tunnels];
