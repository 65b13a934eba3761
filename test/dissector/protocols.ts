// One packet for each protocol, and what may tell two flows of it apart: rows of the table in the package's README. Refuses
// to say which dissector sees it; a test asks three of them.
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
	tunnels = false,
): Protocol {
	const of = (flow: Flow) => packet(eth(), ...build({ ...FLOW, ...flow }));
	return {
		name,
		spec,
		packet: of({}),
		others: Object.entries(others).map(([what, flow]) => [what, of(flow)] as const),
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

const network: readonly Protocol[] = [
	row("TCP on IPv4", "RFC 791, 9293", inside4, both),
	row("UDP on IPv4", "RFC 768", ({ src, port }) => [ipv4({ src }), udp(port)], both),
	row("UDP-Lite", "RFC 3828", ({ src, port }) => [ipv4({ src }), udp(port, 9, { lite: true })], both),
	row("SCTP", "RFC 9260", over(132), { addresses: ADDRESSES, ports: EXTRA }),
	row("DCCP", "RFC 4340", over(33), { addresses: ADDRESSES, ports: EXTRA }),
	row("ESP", "RFC 4303", over(50), { addresses: ADDRESSES, SPI: EXTRA }),
	row(
		"AH",
		"RFC 4302",
		({ src, extra }) => [ipv4({ src }), transport(51, concat(be32(0x06040000), be32(extra), be32(1)))],
		{ addresses: ADDRESSES, SPI: EXTRA },
	),
	row("ICMP", "RFC 792", over(1), { addresses: ADDRESSES, message: EXTRA }),
	row("IGMP", "RFC 9776", over(2), { addresses: ADDRESSES, message: EXTRA }),
	row("L2TP", "RFC 3931", over(115), { addresses: ADDRESSES, session: EXTRA }),
	row("RSVP and other IP protocols", "IANA", over(46), { addresses: ADDRESSES, message: EXTRA }),
	row(
		"IPv4 options",
		"RFC 791",
		({ src, port }) => [ipv4({ src, options: new Uint8Array(8).fill(1) }), tcp(port)],
		both,
	),
	row("IPv4 fragments", "RFC 791", ({ src, port }) => [ipv4({ src, fragment: 0x2000 }), udp(port)], both),
	row("TCP on IPv6", "RFC 8200, 9293", inside6, both),
	row("flow label", "RFC 6437", ({ src6, port, extra }) => [ipv6({ src: src6, label: extra }), tcp(port)], {
		...both,
		label: EXTRA,
	}),
	row("ICMPv6", "RFC 4443", ({ src6, extra }) => [ipv6({ src: src6 }), transport(58, word(extra))], {
		addresses: ADDRESSES,
		message: EXTRA,
	}),
	...(
		[
			["hop-by-hop options", "RFC 8200", 0],
			["destination options", "RFC 8200", 60],
			["routing header, SRv6", "RFC 8200, 8754", 43],
		] as const
	).map(([name, spec, number]) =>
		row(name, spec, ({ src6, port }) => [ipv6({ src: src6 }), extension(number, 3), tcp(port)], both),
	),
	row(
		"fragment header",
		"RFC 8200",
		({ src6, port }) => [ipv6({ src: src6 }), fragment6(0, true), udp(port)],
		both,
	),
];

const link: readonly Protocol[] = [
	row("802.1Q", "IEEE 802.1Q", (flow) => [vlan(flow.extra), ...inside4(flow)], { ...both, "VLAN id": EXTRA }),
	row(
		"802.1ad and 802.1Q",
		"IEEE 802.1Q",
		(flow) => [vlan(flow.extra, { tpid: TYPE_S_TAG }), vlan(6), ...inside4(flow)],
		{ ...both, "VLAN id": EXTRA },
	),
	row("three tags", "IEEE 802.1Q", (flow) => [vlan(flow.extra), vlan(2), vlan(3), ...inside4(flow)], {
		...both,
		"VLAN id": EXTRA,
	}),
	row("PRP, HSR", "IEC 62439-3", (flow) => [hsr(), ...inside4(flow)], both),
	row("PPPoE, IPv4", "RFC 2516", (flow) => [pppoe(), ...inside4(flow)], both),
	row("PPPoE, IPv6", "RFC 2516, 5072", (flow) => [pppoe(), ...inside6(flow)], both),
	row(
		"PPPoE, compressed protocol",
		"RFC 2516 section 7",
		(flow) => [pppoe({ protocol: 0x21, compressed: true }), ...inside4(flow)],
		both,
	),
	row("batman-adv", "batadv_packet.h", (flow) => [batadv(), ...inside4(flow)], inner),
	row("MPLS", "RFC 3032", (flow) => [mpls(flow.extra), ...inside4(flow)], { ...both, label: EXTRA }),
	row("ARP", "RFC 826", () => [arp()], {}),
	row("RARP", "RFC 903", () => [arp({ reverse: true })], {}),
	row("TIPC", "tipc.io", ({ extra }) => [tipc({ node: extra })], { node: EXTRA }),
	row("FCoE", "FC-BB-5", ({ extra }) => [fcoe(), { encode: () => be32(extra) }], { payload: EXTRA }),
	row("PTP", "IEEE 1588", ({ extra }) => [ptp(), { encode: () => be32(extra) }], { payload: EXTRA }),
	row("CFM", "IEEE 802.1ag", () => [cfm()], {}),
	row(
		"any other ethertype (LLDP)",
		"IEEE 802.1AB",
		({ extra }) => [{ ethertype: 0x88cc, encode: () => word(extra) }],
		{ payload: EXTRA },
	),
];

const tunnels: readonly Protocol[] = [
	row("IPIP", "RFC 2003", (flow) => [outer, ...inside4(flow)], inner),
	row("6in4", "RFC 4213", (flow) => [outer, ...inside6(flow)], inner),
	row("4in6", "RFC 2473", (flow) => [outer6, ...inside4(flow)], inner),
	row("6in6", "RFC 2473", (flow) => [outer6, ...inside6(flow)], inner),
	row(
		"GRE, checksum, sequence",
		"RFC 2784, 2890",
		(flow) => [outer, gre({ csum: true, seq: 1 }), ...inside4(flow)],
		inner,
	),
	row("GRE, key", "RFC 2890", (flow) => [outer, gre({ key: flow.extra }), ...inside4(flow)], {
		...inner,
		key: EXTRA,
	}),
	row("GRE, Ethernet (TEB)", "RFC 7637", (flow) => [outer, gre(), eth(), ...inside4(flow)], inner),
	row(
		"GRE with source routes",
		"RFC 1701",
		(flow) => some(gre({ routing: true }), ipv4(), tcp(flow.port))(flow),
		{ addresses: ADDRESSES, "inner ports": PORTS },
	),
	row("PPTP", "RFC 2637", (flow) => [ipv4({ src: `203.0.113.${flow.extra}` }), pptp(), ...inside4(flow)], {
		...inner,
		"outer addresses": EXTRA,
	}),
	row("MPLS in IP", "RFC 4023", (flow) => some(mpls(flow.extra), ipv4(), tcp())(flow), {
		addresses: ADDRESSES,
		label: EXTRA,
	}),
	row(
		"VXLAN",
		"RFC 7348",
		overUdp((source) => [vxlan(4789, { source }), eth()]),
		outerAndInner,
	),
	...(
		[
			["VXLAN", "RFC 7348", (source: number) => [vxlan(4789, { source }), eth()]],
			["Geneve", "RFC 8926", (source: number) => [geneve(6081, { words: 2, source }), eth()]],
			["GUE", "draft-ietf-intarea-gue", (source: number) => [gue(6080, { source })]],
			["MPLS in UDP", "RFC 7510", (source: number) => [direct(6635, { source }), mpls(18)]],
		] as const
	).map(([name, spec, tunnel]) =>
		row(`${name}, port configured`, spec, overUdp(tunnel), outerAndInner, true),
	),
];

export const PROTOCOLS: readonly Protocol[] = [...network, ...link, ...tunnels];
