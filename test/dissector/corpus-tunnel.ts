// The packets of PPTP, and of tunnels over UDP, which need parameters to be seen. Refuses to say what the answer is.
import { FLAG } from "./keys.ts";
import { arp, data, eth, extension, ipv4, ipv6, mpls, tcp, udp, vlan } from "./packet.ts";
import { direct, geneve, gue, pptp, vxlan } from "./tunnel-layers.ts";
import { cut, type VectorSpec, vector } from "./vector-spec.ts";

const call = vector("call", "RFC 2637 section 4.1: IPv4 in a call", [ipv4(), pptp(), ipv4(), tcp()]);

export const PPTP: readonly VectorSpec[] = [
	call,
	vector("ipv6", "RFC 5072 in RFC 2637", [ipv4(), pptp(), ipv6(), udp()]),
	vector("ack", "RFC 2637: acknowledgement and no sequence number", [
		ipv4(),
		pptp({ seq: false, ack: true }),
		ipv4(),
		tcp(),
	]),
	vector("all", "every option at once", [ipv4(), pptp({ csum: true, ack: true }), ipv4(), tcp()]),
	vector("stop", "the GRE header is enough", [ipv4(), pptp(), ipv4(), tcp()], FLAG.stopAtEncap),
	vector("lcp", "any other PPP protocol stays PPP, which the C code is asked about", [
		ipv4(),
		pptp({ protocol: 0xc021 }),
		data("lcp!"),
	]),
	vector("no-key", "RFC 2637: without a call it is no PPTP", [ipv4(), pptp({ key: false }), ipv4(), tcp()]),
	vector("no-ppp", "RFC 2637: version 1 carries nothing but PPP", [
		ipv4(),
		pptp({ type: 0x0800 }),
		ipv4(),
		tcp(),
	]),
	cut(call, 41, "the call's number lacks a byte"),
	cut(call, 49, "the PPP header lacks a byte"),
	cut(call, 50, "the PPP header and nothing behind it"),
];

const plain = ipv6({ src: "2001:db8:f::1", dst: "2001:db8:f::2" });
const frame = (...layers: Parameters<typeof vector>[2]) => [eth(), ...layers];

/** Seen as tunnels only with config.ts TUNNEL_CONFIG; otherwise UDP. */
export const UDP_TUNNELS: readonly VectorSpec[] = [
	vector("vxlan", "RFC 7348", [ipv4(), vxlan(4789), ...frame(ipv4(), tcp())]),
	vector("vxlan-second-port", "the second port of the list", [plain, vxlan(8472), ...frame(ipv6(), udp())]),
	vector("vxlan-vlan", "a tag inside", [ipv4(), vxlan(4789), ...frame(vlan(5), ipv4(), tcp())]),
	vector("vxlan-arp", "no inner addresses: the outer ports stay", [ipv4(), vxlan(4789), ...frame(arp())]),
	vector("vxlan-in-vxlan", "a tunnel in a tunnel", [
		ipv4(),
		...[vxlan(4789), eth(), ipv4({ src: "203.0.113.9" }), vxlan(4789), eth()],
		ipv6(),
		tcp(),
	]),
	vector("vxlan-no-flag", "RFC 7348 section 5: without I it is none", [
		ipv4(),
		vxlan(4789, { flags: 0 }),
		...frame(ipv4(), tcp()),
	]),
	vector(
		"vxlan-stop",
		"the outer header is enough",
		[ipv4(), vxlan(4789), ...frame(ipv4(), tcp())],
		FLAG.stopAtEncap,
	),
	vector("vxlan-fragment-inside", "an inner fragment has no ports", [
		ipv4(),
		vxlan(4789),
		...frame(ipv4({ fragment: 0x00b9 }), udp()),
	]),
	vector(
		"vxlan-fragment",
		"an outer fragment is not looked into",
		[ipv4({ fragment: 0x2000 }), vxlan(4789), ...frame(ipv4(), tcp())],
		FLAG.parseFirstFragment,
	),
	vector("geneve", "RFC 8926: a frame", [ipv4(), geneve(6081), ...frame(ipv4(), tcp())]),
	vector("geneve-ip", "RFC 8926: IP at once", [ipv4(), geneve(6081), ipv6(), tcp()]),
	vector("geneve-options", "RFC 8926: 63 words of options", [
		ipv4(),
		geneve(6081, { words: 63 }),
		...frame(ipv4(), tcp()),
	]),
	vector("geneve-control", "RFC 8926 section 3.4: a control message", [
		ipv4(),
		geneve(6081, { control: true }),
		...frame(ipv4(), tcp()),
	]),
	vector("geneve-version", "RFC 8926 section 3.4: version 0", [
		ipv4(),
		geneve(6081, { version: 1 }),
		...frame(ipv4(), tcp()),
	]),
	vector("geneve-unknown", "not known, so the C code's", [
		ipv4(),
		geneve(6081, { type: 0x88cc }),
		data("lldp"),
	]),
	vector("gue", "GUE: IPv4 inside", [ipv4(), gue(6080), ipv4(), tcp()]),
	vector("gue-fields", "GUE: with fields", [plain, gue(6080, { words: 31 }), ipv6(), tcp()]),
	vector("gue-tcp", "GUE: a transport at once", [ipv4(), gue(6080), tcp(7, 9)]),
	vector("gue-options", "GUE: an extension header of the outer IPv6", [
		plain,
		gue(6080),
		extension(60),
		tcp(7, 9),
	]),
	vector("gue-control", "GUE: a control message", [ipv4(), gue(6080, { control: true }), ipv4(), tcp()]),
	vector("gue-variant-1-4", "GUE section 4: IPv4 at once", [ipv4(), direct(6080), ipv4(), tcp()]),
	vector("gue-variant-1-6", "GUE section 4: IPv6 at once", [ipv4(), direct(6080), ipv6(), tcp()]),
	vector("gue-variant-2", "a variant that nobody defined", [
		ipv4(),
		gue(6080, { variant: 2 }),
		ipv4(),
		tcp(),
	]),
	vector("mpls-udp", "RFC 7510: as MPLS in IP, and the ports stay", [
		ipv4(),
		direct(6635),
		mpls(18),
		ipv4(),
		tcp(),
	]),
	vector("other-port", "a port that no tunnel has", [ipv4(), vxlan(4788), ...frame(ipv4(), tcp())]),
];
