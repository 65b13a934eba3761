// What broke dissectors before: one vector for each way. Refuses to be a full list of bugs: it is one of shapes.
import { FLAG } from "./keys.ts";
import { pppoe } from "./link-layers.ts";
import { extension, gre, ipv4, ipv6, mpls, tcp, udp, vlan } from "./packet.ts";
import { pptp } from "./tunnel-layers.ts";
import { cut, repeat, twist, type VectorSpec, vector } from "./vector-spec.ts";

const PFC = "CVE-2026-46306: a compressed PPP protocol field, which RFC 2516 section 7 forbids";
const LENGTH = "a length field of 0xffff is not believed";

/** The two bytes at `at` become 0xffff. */
function longest(spec: VectorSpec, name: string, at: number): VectorSpec {
	const half = twist(spec, name, LENGTH, at, 0xff);
	return twist(half, name, LENGTH, at + 1, 0xff);
}

const udp4 = vector("", "", [ipv4(), udp()]);
const udp6 = vector("", "", [ipv6(), udp()]);
const ipip = vector("", "", [...repeat(20, () => ipv4()), tcp()]);
const beyond = (name: string, spec: VectorSpec, at: number) =>
	twist(spec, name, "the longest extension header, and nothing of it there", at, 0xff);

export const HISTORY: readonly VectorSpec[] = [
	...[0, 1, 2, 3, 4].map((ihl) =>
		twist(
			ipip,
			`cve-2013-4348-ihl-${ihl}`,
			"IPIP whose inner header is too short: the C code once looped",
			34,
			0x40 + ihl,
		),
	),
	vector("cve-2013-4348-ipip-100", "IPIP without an end", [...repeat(100, () => ipv4()), tcp()]),
	vector("ip6ip6-40", "IPv6 in IPv6 without an end", [...repeat(40, () => ipv6()), tcp()]),
	vector("gre-40", "GRE in GRE without an end", [
		...repeat(80, (n) => (n % 2 === 0 ? ipv4() : gre())),
		ipv4(),
		tcp(),
	]),
	vector("vlan-100", "tags without an end", [...repeat(100, () => vlan(5)), ipv4(), tcp()]),
	vector("pptp-20", "PPTP in PPTP without an end", [
		...repeat(40, (n) => (n % 2 === 0 ? ipv4() : pptp())),
		ipv4(),
		tcp(),
	]),
	cut(
		vector("cve-2017-13715", "", [mpls(7)]),
		14,
		"MPLS with no label: the C code once left keys uninitialised",
	),
	cut(vector("cve-2017-13715-ip", "", [ipv4(), mpls(7)]), 34, "the same in IP"),
	vector("cve-2026-46306-ipv4", PFC, [pppoe({ protocol: 0x21, compressed: true }), ipv4(), tcp()]),
	vector("cve-2026-46306-ipv6", PFC, [pppoe({ protocol: 0x57, compressed: true }), ipv6(), tcp()]),
	vector("cve-2026-46306-vlan", PFC, [vlan(5), pppoe({ protocol: 0x21, compressed: true }), ipv4(), tcp()]),
	vector("cve-2026-46306-gre", PFC, [
		ipv4(),
		gre(),
		pppoe({ protocol: 0x21, compressed: true }),
		ipv4(),
		tcp(),
	]),
	vector(
		"cve-2026-46306-flower",
		"flower's question goes to the C code unless the operator patches it",
		[pppoe({ protocol: 0x21, compressed: true }), ipv4(), tcp()],
		FLAG.stopBeforeEncap,
	),
	longest(udp4, "length-ipv4-total", 16),
	longest(udp4, "length-udp", 38),
	longest(udp6, "length-ipv6-payload", 18),
	longest(udp6, "length-ipv6-udp", 58),
	longest(vector("", "", [pppoe(), ipv4(), tcp()]), "length-pppoe", 18),
	longest(vector("", "", [ipv4(), gre({ csum: true }), ipv4(), tcp()]), "length-gre-checksum", 38),
	beyond("length-destination", vector("", "", [ipv6(), extension(60), tcp()]), 55),
	beyond("length-routing", vector("", "", [ipv6(), extension(43, 3), tcp()]), 55),
	vector("length-extensions-2048", "15 headers of 2048 bytes, of which none is there", [
		ipv6(),
		...repeat(15, () => ({ ...extension(60), encode: extension(60, 256, 60).encode })),
	]),
].map((spec) => (spec.data.length > 2000 ? { ...spec, data: spec.data.slice(0, 2000) } : spec));
