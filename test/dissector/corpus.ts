// The packets that become the flow dissector's vectors: one file per part of the parse graph. Refuses to say what the
// answer is: that is the oracle's.
import { HISTORY } from "./corpus-history.ts";
import { LINKS, PPPOE } from "./corpus-link.ts";
import { PPTP } from "./corpus-tunnel.ts";
import { readFound } from "./found.ts";
import { FLAG } from "./keys.ts";
import {
	arp,
	data,
	ETHERTYPE,
	eth,
	extension,
	fragment6,
	gre,
	ipv4,
	ipv6,
	mpls,
	TYPE_S_TAG,
	tcp,
	transport,
	udp,
	vlan,
} from "./packet.ts";
import { cut, prefixed, repeat, twist, type VectorSpec, vector } from "./vector-spec.ts";

const PARSE_1ST = FLAG.parseFirstFragment;
const STOP_LABEL = FLAG.stopAtFlowLabel;
const STOP_ENCAP = FLAG.stopAtEncap;
const SPI = Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 1);
const ECHO = Uint8Array.of(8, 0, 0xf7, 0xfd, 0, 1, 0, 1);

const tcp4 = vector("ipv4-tcp", "RFC 791 and 9293: addresses and ports", [ipv4(), tcp(), data("kfn")]);
const tcp6 = vector("ipv6-tcp", "RFC 8200 and 9293: addresses and ports", [ipv6(), tcp(), data("kfn")]);

const basic: readonly VectorSpec[] = [
	tcp4,
	vector("ipv4-udp", "RFC 768", [ipv4(), udp(), data("kfn")]),
	vector("ipv4-udplite", "RFC 3828: ports where UDP has them", [ipv4(), udp(7, 9, { lite: true })]),
	vector("ipv4-sctp", "RFC 9260: ports first", [
		ipv4(),
		transport(132, Uint8Array.of(4, 0, 5, 0, 0, 0, 0, 1, 0, 0, 0, 0)),
	]),
	vector("ipv4-dccp", "RFC 4340: ports first", [
		ipv4(),
		transport(33, Uint8Array.of(4, 0, 5, 0, 4, 0, 0, 0)),
	]),
	vector("ipv4-icmp", "RFC 792: a flow by its addresses", [ipv4(), transport(1, ECHO)]),
	vector("ipv4-igmp", "RFC 9776: a flow by its addresses", [ipv4(), transport(2, ECHO)]),
	vector("ipv4-esp", "RFC 4303: the SPI stands for the ports", [ipv4(), transport(50, SPI)]),
	vector("ipv4-ah", "RFC 4302: the SPI is the second word", [
		ipv4(),
		transport(51, Uint8Array.of(6, 4, 0, 0, ...SPI)),
	]),
	vector("ipv4-l2tp", "RFC 3931: a flow by its addresses", [ipv4(), transport(115, SPI)]),
	vector("ipv4-unassigned", "IANA 253: no ports is no failure", [ipv4({ protocol: 253 }), data("????")]),
	vector("ipv4-options", "RFC 791 section 3.1: the header ends where its length says", [
		ipv4({ options: new Uint8Array(40).fill(1) }),
		tcp(),
	]),
	tcp6,
	vector("ipv6-udp", "RFC 8200 and 768", [ipv6(), udp()]),
	vector("ipv6-icmp6", "RFC 4443: a flow by its addresses", [ipv6(), transport(58, ECHO)]),
	vector("ipv6-label", "RFC 6437: the flow label is a key", [ipv6({ label: 0xbeef5 }), tcp()]),
	vector(
		"ipv6-label-stop",
		"a flow label is enough when the caller says so",
		[ipv6({ label: 0xbeef5 }), tcp()],
		STOP_LABEL,
	),
	vector("ipv6-no-label-stop", "RFC 6437 section 2: 0 is no label to stop at", [ipv6(), tcp()], STOP_LABEL),
	vector("arp", "RFC 826: its type is all that the keys carry", [arp()]),
	vector("rarp", "RFC 903: as ARP", [arp({ reverse: true })]),
	vector("mpls", "RFC 3032: stepped over, for nothing says what it carries", [mpls(18), ipv4(), tcp()]),
	vector("mpls-stack", "RFC 3032: only the first entry", [
		mpls(7, { bottom: false }),
		mpls(18),
		ipv4(),
		tcp(),
	]),
];

const link: readonly VectorSpec[] = [
	vector("vlan-ipv4", "IEEE 802.1Q: nhoff moves with the tag", [vlan(5), ipv4(), tcp()]),
	vector("vlan-ipv6", "IEEE 802.1Q", [vlan(5), ipv6(), udp()]),
	vector("qinq", "IEEE 802.1Q: an S-tag and a C-tag", [
		vlan(5, { tpid: TYPE_S_TAG }),
		vlan(6),
		ipv4(),
		tcp(),
	]),
	vector("vlan-3", "a third tag is a header like any", [vlan(1), vlan(2), vlan(3), ipv4(), tcp()]),
	vector("vlan-arp", "RFC 826 behind a tag", [vlan(5), arp()]),
	vector("vlan-unknown", "what is behind the tag is not known: the C code's", [
		vlan(5, { type: 0x88cc }),
		data("lldp"),
	]),
	vector("unknown", "IEEE 802.1AB: not known, so the C code's", [
		{ ethertype: 0x88cc, encode: () => new Uint8Array(8) },
	]),
	vector("llc", "IEEE 802.2: a length, not a type", [
		{ ethertype: 0x0026, encode: () => Uint8Array.of(0x42, 0x42, 3) },
	]),
];

const v6: readonly VectorSpec[] = [
	vector("hop-by-hop", "RFC 8200 section 4.3", [ipv6(), extension(0), tcp()]),
	vector("destination", "RFC 8200 section 4.6", [ipv6(), extension(60, 3), udp()]),
	vector("routing", "RFC 8200 section 4.4", [ipv6(), extension(43, 3), tcp()]),
	vector("srv6", "RFC 8754: a routing header with two segments, then IPv4", [
		ipv6(),
		extension(43, 5),
		ipv4(),
		tcp(),
	]),
	vector("chain", "RFC 8200 section 4.1: the recommended order", [
		ipv6(),
		extension(0),
		extension(60),
		extension(43, 3),
		extension(60),
		tcp(),
	]),
	vector("no-next", "RFC 8200 section 4.7: nothing follows", [ipv6(), extension(0, 1, 59)]),
	vector("longest", "RFC 8200 section 4.3: 255 units and the first", [ipv6(), extension(60, 256), udp()]),
	vector("in-ipv4", "IPv4 has no extension headers: 60 is a protocol without ports", [
		ipv4({ protocol: 60 }),
		extension(60),
		tcp(),
	]),
	vector("fragment-number-in-ipv4", "44 is no fragment in IPv4", [
		ipv4({ protocol: 44 }),
		fragment6(0, true),
	]),
];

const fragments: readonly VectorSpec[] = [
	vector("v4-first", "RFC 791: all fragments are one flow, so the first shows no ports", [
		ipv4({ fragment: 0x2000 }),
		udp(),
	]),
	vector(
		"v4-first-parse",
		"asked to look behind it: still no ports",
		[ipv4({ fragment: 0x2000 }), udp()],
		PARSE_1ST,
	),
	vector("v4-later", "RFC 791: a later fragment has no transport header", [
		ipv4({ fragment: 0x20b9 }),
		udp(),
	]),
	vector("v4-last-parse", "the last one neither", [ipv4({ fragment: 0x00b9 }), udp()], PARSE_1ST),
	vector("v4-dont-fragment", "RFC 791: DF is no fragment", [ipv4({ fragment: 0x4000 }), udp()]),
	vector(
		"v4-first-tunnel-parse",
		"behind a first fragment the walk goes on, without ports",
		[ipv4({ fragment: 0x2000 }), ipv4(), udp()],
		PARSE_1ST,
	),
	vector("v6-first", "RFC 8200 section 4.5", [ipv6(), fragment6(0, true), udp()]),
	vector(
		"v6-first-parse",
		"asked to look behind it: still no ports",
		[ipv6(), fragment6(0, true), udp()],
		PARSE_1ST,
	),
	vector(
		"v6-first-parse-options",
		"an extension header behind a first fragment",
		[ipv6(), fragment6(0, true), extension(60), udp()],
		PARSE_1ST,
	),
	vector("v6-later", "RFC 8200 section 4.5", [ipv6(), fragment6(185, false), udp()], PARSE_1ST),
	vector("v6-atomic", "RFC 6946: a whole packet with a fragment header", [
		ipv6(),
		fragment6(0, false),
		tcp(),
	]),
];

const outer6 = ipv6({ src: "2001:db8:f::1", dst: "2001:db8:f::2" });
const tunnels: readonly VectorSpec[] = [
	vector("ipip", "RFC 2003", [ipv4({ src: "203.0.113.1" }), ipv4(), tcp()]),
	vector("6in4", "RFC 4213", [ipv4(), ipv6(), tcp()]),
	vector("4in6", "RFC 2473: nothing of the outer addresses stays", [outer6, ipv4(), tcp()]),
	vector("4in6-stale", "bytes of the outer address where the C code hashes padding", [
		ipv6({ src: "2001:db8::a:b:0:1" }),
		ipv4(),
		tcp(),
	]),
	vector("6in6", "RFC 2473", [outer6, ipv6(), udp()]),
	vector("6in6-outer-label", "RFC 6437: an inner 0 does not undo an outer label", [
		ipv6({ label: 0x12345 }),
		ipv6(),
		udp(),
	]),
	vector("ipip-stop", "the outer header is enough", [ipv4(), ipv4(), tcp()], STOP_ENCAP),
	vector("6in6-stop", "the outer header is enough", [outer6, ipv6(), tcp()], STOP_ENCAP),
	vector("4in6-destination", "RFC 2473 section 4.1.1: the tunnel's own option", [
		outer6,
		extension(60),
		ipv4(),
		tcp(),
	]),
	vector("mpls-in-ip", "RFC 4023: no encapsulation flag, as in the C code", [
		ipv4(),
		mpls(18),
		ipv4(),
		tcp(),
	]),
	vector("gre", "RFC 2784", [ipv4(), gre(), ipv4(), tcp()]),
	vector("gre-ipv6", "RFC 7676", [outer6, gre(), ipv6(), udp()]),
	vector("gre-csum", "RFC 2784 section 2.2: checksum and reserved1", [
		ipv4(),
		gre({ csum: true }),
		ipv4(),
		tcp(),
	]),
	vector("gre-seq", "RFC 2890 section 2.2", [ipv4(), gre({ seq: 9 }), ipv4(), tcp()]),
	vector("gre-teb", "RFC 7637: an Ethernet frame inside", [
		ipv4(),
		gre({ type: ETHERTYPE.teb }),
		eth(),
		ipv4(),
		tcp(),
	]),
	vector("gre-teb-vlan", "a tag inside of a tunnel does not move nhoff", [
		ipv4(),
		gre({ type: ETHERTYPE.teb }),
		eth(),
		vlan(5),
		ipv6(),
		tcp(),
	]),
	vector("gre-mpls", "RFC 4023", [ipv4(), gre(), mpls(18), ipv4(), tcp()]),
	vector("gre-unknown", "not known, so the C code's", [ipv4(), gre({ type: 0x88be }), data("erspan")]),
	vector(
		"gre-stop",
		"the GRE header is enough",
		[ipv4(), gre({ csum: true, seq: 1 }), ipv4(), tcp()],
		STOP_ENCAP,
	),
	vector("gre-routing", "RFC 1701: source routes are not looked into", [
		ipv4(),
		gre({ routing: true }),
		ipv4(),
		tcp(),
	]),
	vector("gre-version-1", "RFC 2637: PPTP is the C code's", [
		ipv4(),
		gre({ version: 1, key: 1, type: 0x880b }),
		data("ppp!"),
	]),
	vector("gre-version-2", "a version that nobody defined", [ipv4(), gre({ version: 2 }), ipv4(), tcp()]),
];

const greKey = vector("gre-key", "RFC 2890 section 2.1", [ipv4(), gre({ key: 0x2a }), ipv4(), tcp()]);
const greKeys: readonly VectorSpec[] = [
	greKey,
	vector("gre-key-all", "RFC 2890: checksum, key and sequence number", [
		ipv4(),
		gre({ csum: true, key: 0x2a, seq: 1 }),
		ipv6(),
		udp(),
	]),
	cut(greKey, 40, "RFC 2890: the key is cut off"),
];

const labelled = vector("ipv6-label", "", [ipv6({ label: 0xbeef5 }), tcp()]);
const limits: readonly VectorSpec[] = [
	vector("vlan-15", "15 headers behind the first: IPv4 is the 16th", [
		...repeat(15, () => vlan(5)),
		ipv4(),
		tcp(),
	]),
	vector("vlan-16", "the 17th header is not looked at, and that is no failure", [
		...repeat(16, () => vlan(5)),
		ipv4(),
		tcp(),
	]),
	vector("ipip-16", "16 IPv4 headers, then the ports", [
		...repeat(16, (n) => ipv4({ src: `192.0.2.${n}` })),
		tcp(),
	]),
	vector("ipip-17", "the 17th IPv4 header is not looked at", [
		...repeat(17, (n) => ipv4({ src: `192.0.2.${n}` })),
		tcp(),
	]),
	vector("extensions-15", "15 extension headers, then the ports", [
		ipv6(),
		...repeat(15, () => extension(60)),
		tcp(),
	]),
	vector("extensions-16", "the ports behind the 16th extension header", [
		ipv6(),
		...repeat(16, () => extension(60)),
		tcp(),
	]),
	vector("extensions-17", "17: no ports any more", [ipv6(), ...repeat(17, () => extension(60)), tcp()]),
	{
		...tcp4,
		name: "stop-before-encap",
		why: "flower's flag: its keys are more than these, so the C code's",
		flags: FLAG.stopBeforeEncap,
	},
	twist(tcp4, "cve-2013-4348", "IPv4 header length 0: the C code once looped on it", 14, 0x40),
	twist(vector("x", "", [ipv4(), ipv4(), tcp()]), "cve-2013-4348-ipip", "the same inside of IPIP", 34, 0x40),
	twist(tcp4, "ihl-4", "RFC 791 section 3.1: 5 is the least", 14, 0x44),
	twist(tcp4, "ihl-beyond", "a header longer than the packet: no ports, no failure", 14, 0x4f),
	twist(
		vector("x", "", [ipv6(), extension(60), tcp()]),
		"extension-beyond",
		"an extension header longer than the packet",
		55,
		0xff,
	),
	cut(tcp4, 14, "no IPv4 header at all"),
	cut(tcp4, 33, "the IPv4 header lacks a byte"),
	cut(tcp4, 34, "no transport header: the addresses are a flow"),
	cut(tcp4, 37, "the ports lack a byte"),
	cut(tcp4, 38, "the ports and not more"),
	cut(tcp6, 53, "the IPv6 header lacks a byte"),
	cut({ ...labelled, name: "ipv6-label-stop", flags: STOP_LABEL }, 54, "a label and nothing behind it"),
	cut(vector("vlan", "", [vlan(5), ipv4(), tcp()]), 17, "the tag lacks a byte"),
	cut(vector("hop-by-hop", "", [ipv6(), extension(0), tcp()]), 55, "the extension header lacks its length"),
	cut(vector("v6-fragment", "", [ipv6(), fragment6(0, true), tcp()]), 61, "the fragment header lacks a byte"),
	cut(vector("gre", "", [ipv4(), gre(), ipv4(), tcp()]), 37, "the GRE header lacks a byte"),
	cut(
		vector("gre-csum", "", [ipv4(), gre({ csum: true }), ipv4(), tcp()]),
		40,
		"the checksum is cut: so is what follows",
	),
	cut(
		vector("gre-teb", "", [ipv4(), gre({ type: ETHERTYPE.teb }), eth(), ipv4(), tcp()]),
		51,
		"the inner Ethernet header lacks a byte",
	),
	cut(
		vector("ah", "", [ipv4(), transport(51, Uint8Array.of(6, 4, 0, 0, ...SPI))]),
		41,
		"the SPI lacks a byte",
	),
	cut(vector("arp", "", [arp()]), 20, "ARP is not read, so it may be cut"),
	cut(vector("mpls", "", [mpls(18)]), 16, "CVE-2017-13715: a cut entry leaves nothing uninitialised"),
];

const found = readFound();

/** File name below vectors/ → what is in it. */
export const VECTOR_FILES: Readonly<Record<string, readonly VectorSpec[]>> = {
	"basic.jsonl": basic,
	"fragments.jsonl": prefixed("fragment", fragments),
	...(found.length === 0 ? {} : { "found.jsonl": found }),
	"gre-key.jsonl": greKeys,
	"history.jsonl": prefixed("history", HISTORY),
	"ipv6.jsonl": prefixed("ipv6", v6),
	"limits.jsonl": prefixed("limit", limits),
	"link.jsonl": prefixed("link", [...link, ...LINKS]),
	"pppoe.jsonl": prefixed("pppoe", PPPOE),
	"pptp.jsonl": prefixed("pptp", PPTP),
	"tunnels.jsonl": tunnels,
};
