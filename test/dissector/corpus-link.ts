// The packets of what lies between Ethernet and IP, and instead of IP. Refuses to say what the answer is.
import { FLAG } from "./keys.ts";
import { batadv, cfm, fcoe, hsr, pppoe, ptp, tipc } from "./link-layers.ts";
import { arp, data, gre, ipv4, ipv6, mpls, tcp, udp, vlan } from "./packet.ts";
import { cut, type VectorSpec, vector } from "./vector-spec.ts";

const session = vector("ipv4", "RFC 2516: IPv4 in a session", [pppoe(), ipv4(), tcp()]);

export const PPPOE: readonly VectorSpec[] = [
	session,
	vector("ipv6", "RFC 5072", [pppoe(), ipv6(), udp()]),
	vector("mpls", "RFC 3032 section 4.3: 0x0281", [pppoe(), mpls(18), ipv4(), tcp()]),
	vector("mpls-multicast", "RFC 3032 section 4.3: 0x0283", [
		pppoe(),
		mpls(18, { type: 0x8848 }),
		ipv4(),
		tcp(),
	]),
	vector("lcp", "RFC 1661: a protocol without a flow is no failure", [
		pppoe({ protocol: 0xc021 }),
		data("lcp!"),
	]),
	vector("vlan", "RFC 2516 behind a tag: nhoff is that of IP", [vlan(5), pppoe(), ipv4(), tcp()]),
	vector("in-gre", "PPPoE in an Ethernet type of GRE", [ipv4(), gre(), pppoe(), ipv4(), tcp()]),
	vector("version-2", "RFC 2516 section 4: the version is 1", [pppoe({ versionType: 0x21 }), ipv4(), tcp()]),
	vector("type-2", "RFC 2516 section 4: the type is 1", [pppoe({ versionType: 0x12 }), ipv4(), tcp()]),
	vector("code", "RFC 2516 section 6: a session packet has code 0", [pppoe({ code: 0xa7 }), ipv4(), tcp()]),
	vector("even", "RFC 1661 section 2: a protocol number is odd", [
		pppoe({ protocol: 0x0020 }),
		ipv4(),
		tcp(),
	]),
	cut(session, 21, "the PPP protocol lacks a byte"),
	cut(session, 22, "PPPoE and PPP, and nothing behind them"),
];

export const LINKS: readonly VectorSpec[] = [
	vector("hsr", "IEC 62439-3: a tag like any", [hsr(), ipv4(), tcp()]),
	vector("prp", "IEC 62439-3: the older ethertype", [hsr({ type: 0x88fb }), ipv6(), udp()]),
	vector("hsr-vlan", "a tag behind a tag", [hsr(), vlan(5), ipv4(), tcp()]),
	vector("hsr-unknown", "what is behind the tag is not known: the C code's", [
		hsr({ inner: 0x88cc }),
		data("lldp"),
	]),
	cut(vector("hsr", "", [hsr(), ipv4(), tcp()]), 19, "the tag lacks a byte"),
	vector("batman", "batman-adv: an Ethernet frame inside", [batadv(), ipv4(), tcp()]),
	vector("batman-vlan", "a tag inside of the mesh does not move nhoff", [batadv(), vlan(5), ipv6(), tcp()]),
	vector("batman-stop", "the mesh header is enough", [batadv(), ipv4(), tcp()], FLAG.stopAtEncap),
	vector("batman-fragment", "only unicast packets carry a frame", [batadv({ type: 0x41 }), ipv4(), tcp()]),
	vector("batman-14", "another compatibility version is another protocol", [
		batadv({ version: 14 }),
		ipv4(),
		tcp(),
	]),
	cut(vector("batman", "", [batadv(), ipv4(), tcp()]), 37, "the inner Ethernet header lacks a byte"),
	vector("fcoe", "FC-BB-5: stepped over", [fcoe(), data("scsi")]),
	cut(vector("fcoe", "", [fcoe(), data("scsi")]), 51, "the FC header lacks a byte"),
	vector("ptp", "IEEE 1588 annex F: stepped over", [ptp()]),
	cut(vector("ptp", "", [ptp()]), 47, "the message header lacks a byte"),
	vector("cfm", "IEEE 802.1ag: its type is all that the keys carry", [cfm()]),
	cut(vector("cfm", "", [cfm()]), 16, "CFM is not read, so it may be cut"),
	vector("tipc", "the keys have no room for the sender's node: the C code's", [tipc()]),
	vector("vlan-tipc", "behind a tag as well", [vlan(5), tipc()]),
	vector("hsr-arp", "RFC 826 behind a tag", [hsr(), arp()]),
];
