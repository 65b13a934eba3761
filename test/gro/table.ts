// Sequences with a name and how many frames the kernel's own GRO delivers of them: the cases of tools/testing/selftests/net/gro.c in intent, and the rules that it leaves out.
import type { Found, Sequence } from "./batch.ts";
import { CWR, DF, ECE, FIN, frame, PSH, RST, type Spec, SYN, timestamps, URG } from "./packet.ts";

export interface Case extends Sequence {
	readonly name: string;
	/** What the oracle (Linux 6.18.44) delivers; the test asks it again. */
	readonly delivered: number;
}

/** A run of segments in order; `each` changes one of them. */
function run(count: number, base: Spec = {}, each: (index: number) => Spec = () => ({})): readonly Buffer[] {
	const size = base.payload ?? 100;
	return Array.from({ length: count }, (_, index) => {
		const spec = { seq: 1 + index * size, id: 10 + index, fill: 0x41 + (index % 60) };
		return frame({ ...base, ...spec, ...each(index) });
	});
}

const only = (which: number, spec: Spec) => (index: number) => (index === which ? spec : {});
const both = (
	name: string,
	delivered: number,
	make: (version: 4 | 6) => readonly Buffer[],
): readonly Case[] =>
	([4, 6] as const).map((version) => ({ name: `${name}, IPv${version}`, frames: make(version), delivered }));
const v4 = (name: string, delivered: number, frames: readonly Buffer[], more: Partial<Case> = {}): Case => ({
	name,
	delivered,
	frames,
	...more,
});
const v6 = v4;

const data: readonly Case[] = [
	...both("two of the same size", 1, (version) => run(2, { version })),
	...both("large, then small", 1, (version) => run(2, { version }, only(1, { payload: 50 }))),
	...both("small, then large", 2, (version) => [
		frame({ version, payload: 50 }),
		frame({ version, seq: 51, id: 1, payload: 100 }),
	]),
	...both("nothing may follow a small one", 2, (version) => [
		...run(2, { version }, only(1, { payload: 50 })),
		frame({ version, seq: 151, id: 12 }),
	]),
	...both("one alone", 1, (version) => run(1, { version })),
	...both("one byte each", 1, (version) => run(8, { version, payload: 1 })),
	...both("pure acknowledgements", 3, (version) => run(3, { version, payload: 0 })),
	...both("an acknowledgement ends a run", 3, (version) => [
		...run(2, { version }),
		frame({ version, seq: 201, id: 12, payload: 0 }),
		frame({ version, seq: 201, id: 13 }),
	]),
];

const flags: readonly Case[] = [
	...both("PSH ends a run and stays", 2, (version) => run(4, { version }, only(1, { flags: 16 | PSH }))),
	...both("FIN on the last", 1, (version) => run(3, { version }, only(2, { flags: 16 | FIN }))),
	...both("FIN and PSH", 1, (version) => run(3, { version }, only(2, { flags: 16 | FIN | PSH }))),
	...both("SYN", 3, (version) => run(3, { version }, only(1, { flags: 16 | SYN }))),
	...both("RST", 3, (version) => run(3, { version }, only(1, { flags: 16 | RST }))),
	...both("URG", 3, (version) => run(3, { version }, only(1, { flags: 16 | URG, urgent: 5 }))),
	...both("no ACK flag", 3, (version) => run(3, { version }, only(1, { flags: 0 }))),
	...both("CWR on the first", 2, (version) => run(3, { version }, only(0, { flags: 16 | CWR }))),
	...both("CWR in between", 3, (version) => run(4, { version }, only(2, { flags: 16 | CWR }))),
	...both("CWR on all", 3, (version) => run(3, { version, flags: 16 | CWR })),
	...both("ECE on all", 1, (version) => run(3, { version, flags: 16 | ECE })),
	...both("ECE on one", 3, (version) => run(3, { version }, only(1, { flags: 16 | ECE }))),
];

const tcp: readonly Case[] = [
	...both("another acknowledgement number", 2, (version) => run(2, { version }, only(1, { ack: 8 }))),
	...both("a gap", 2, (version) => run(2, { version }, only(1, { seq: 102 }))),
	...both("one again", 2, (version) => run(2, { version }, only(1, { seq: 1 }))),
	...both("the sequence wraps", 1, (version) =>
		run(3, { version }, (i) => ({ seq: (0xffffff80 + 100 * i) >>> 0 })),
	),
	...both("another window", 2, (version) => run(2, { version }, only(1, { window: 501 }))),
	...both("the urgent pointer is not looked at", 1, (version) => run(2, { version }, only(1, { urgent: 9 }))),
	...both("another port", 2, (version) => run(2, { version }, only(1, { sport: 1001 }))),
	...both("same timestamps", 1, (version) => run(3, { version, options: timestamps(5) })),
	...both("other timestamps", 2, (version) =>
		run(2, { version, options: timestamps(5) }, only(1, { options: timestamps(6) })),
	),
	...both("options in another order", 2, (version) =>
		run(2, { version, options: timestamps(5) }, only(1, { options: [...timestamps(5).slice(2), 1, 1] })),
	),
	...both("options on one", 2, (version) => run(2, { version }, only(1, { options: timestamps(5) }))),
	...both("40 bytes of options", 1, (version) => run(3, { version, options: Array(40).fill(1) })),
	...both("the last byte of the options", 2, (version) =>
		run(2, { version, options: Array(40).fill(1) }, only(1, { options: [...Array(39).fill(1), 0] })),
	),
	...both("a wrong checksum ends nothing", 2, (version) => [
		...run(2, { version }, only(1, { wrong: { tcp: 1 } })),
		frame({ version, seq: 101, id: 11 }),
	]),
	...both("a data offset below 5", 2, (version) => run(2, { version }, only(1, { wrong: { offset: -1 } }))),
	...both("a data offset behind the end", 2, (version) =>
		run(2, { version, payload: 8 }, only(1, { wrong: { offset: 9 } })),
	),
];

const network: readonly Case[] = [
	...both("another TTL", 2, (version) => run(2, { version }, only(1, { ttl: 63 }))),
	...both("another ToS", 2, (version) => run(2, { version }, only(1, { tos: 0x10 }))),
	...both("another ECN", 2, (version) => run(2, { version, tos: 2 }, only(1, { tos: 3 }))),
	...both("CE on all", 1, (version) => run(2, { version, tos: 3 })),
	...both("another address", 2, (version) => run(2, { version }, only(1, { source: 9 }))),
	...both("another MAC address", 2, (version) => run(2, { version }, only(1, { mac: 9 }))),
	...both("a trailer", 2, (version) => run(2, { version }, only(1, { trailer: 6 }))),
	...both("a trailer in a run ends it", 3, (version) => run(3, { version }, only(1, { trailer: 6 }))),
	...both("an IP length too long", 2, (version) => run(2, { version }, only(1, { wrong: { length: 4 } }))),
	...both("another protocol", 2, (version) => run(2, { version }, only(1, { protocol: 132 }))),
	v4("IDs count", 1, run(4)),
	v4(
		"IDs wrap",
		1,
		run(4, {}, (index) => ({ id: 0xfffe + index })),
	),
	v4("IDs count, without DF", 1, run(4, { fragment: 0 })),
	v4(
		"ID fixed",
		1,
		run(4, { id: 5 }, () => ({ id: 5 })),
	),
	v4(
		"ID fixed, without DF",
		1,
		run(4, { fragment: 0 }, () => ({ id: 5 })),
	),
	v4(
		"fixed, then counting",
		2,
		run(4, {}, (index) => ({ id: index < 2 ? 5 : 4 + index })),
	),
	v4(
		"counting, then fixed",
		2,
		run(4, {}, (index) => ({ id: index < 2 ? 5 + index : 6 })),
	),
	v4("an ID left out", 2, run(3, {}, only(2, { id: 13 }))),
	v4("DF on one", 3, run(3, {}, only(1, { fragment: 0 }))),
	v4("the reserved bit", 3, run(3, {}, only(1, { fragment: DF | 0x8000 }))),
	v4("fragments", 2, run(2, { fragment: 0x2000 })),
	v4("a later fragment ends nothing", 2, [
		...run(1),
		frame({ seq: 101, id: 11, fragment: 4 }),
		frame({ seq: 101, id: 11 }),
	]),
	v4("IPv4 options", 2, run(2, { ipOptions: [1, 1, 1, 0] })),
	v4("a wrong IPv4 checksum", 2, run(2, {}, only(1, { wrong: { ip: 1 } }))),
	v6("another flow label", 2, run(2, { version: 6 }, only(1, { label: 1 }))),
	...[0, 43, 60].map((kind) =>
		v6(
			`extension header ${kind}`,
			1,
			run(3, { version: 6, extensions: [{ kind, body: [1, 4, 0, 0, 0, 0] }] }),
		),
	),
	v6(
		"extension headers that differ",
		2,
		run(
			2,
			{ version: 6, extensions: [{ kind: 0, body: [1, 4, 0, 0, 0, 0] }] },
			only(1, { extensions: [{ kind: 0, body: [1, 4, 0, 0, 0, 1] }] }),
		),
	),
	v6(
		"an extension header on one",
		2,
		run(2, { version: 6 }, only(1, { extensions: [{ kind: 60, body: [1, 4, 0, 0, 0, 0] }] })),
	),
	v6("a fragment header", 2, run(2, { version: 6, extensions: [{ kind: 44, body: [0, 1, 0, 0, 0, 1] }] })),
];

/** Segments of several flows in turn. */
function turns(flows: number, rounds: number): readonly Buffer[] {
	return Array.from({ length: flows * rounds }, (_, index) => {
		const round = Math.floor(index / flows);
		return frame({
			sport: 3000 + (index % flows),
			seq: 1 + 100 * round,
			id: 10 + round,
			fill: 0x41 + (index % 60),
		});
	});
}

const sizes: readonly Case[] = [
	...both("64 KiB: the next does not fit", 2, (version) => run(47, { version, payload: 1440 })),
	...both("as much as fits", 1, (version) => run(45, { version, payload: 1440 })),
	v4("8 flows fit into a bucket", 8, turns(8, 3)),
	v4("the 9th flow pushes the oldest out", 27, turns(9, 3)),
	v4("jumbo segments", 2, run(8, { payload: 9000 })),
];

/** The same frames, of which the device found out something, or with smaller limits. */
const also = (cases: readonly Case[], more: Partial<Case>): readonly Case[] =>
	cases.map((one) => ({ ...one, ...more }));
const hashes = (count: number, hash: (index: number) => number): readonly Found[] =>
	Array.from({ length: count }, (_, index) => ({ hash: hash(index) }));
const tags = (...vlans: readonly number[]): readonly Found[] => vlans.map((vlan) => ({ vlan }));

const VLAN_5 = 0x8100_0005;

const device: readonly Case[] = [
	...also(
		both("the same hash", 1, (version) => run(3, { version })),
		{ found: hashes(3, () => 0xdeadbeef) },
	),
	...also(
		both("another hash of the same bucket", 2, (version) => run(2, { version })),
		{ found: hashes(2, (index) => 5 + 8 * index) },
	),
	...also(
		both("another bucket", 2, (version) => run(2, { version })),
		{ found: hashes(2, (index) => 5 + index) },
	),
	v4("9 flows fit into 8 buckets", 9, turns(9, 3), { found: hashes(27, (index) => index % 9) }),
	v4("a full bucket pushes out its own oldest only", 21, turns(12, 2), {
		found: hashes(24, (index) => (index % 12 < 9 ? 0 : 1)),
	}),
	v4("buckets go on in their order, not in that of arrival", 3, turns(3, 2), {
		found: hashes(6, (index) => 7 - (index % 3)),
	}),
	...also(
		both("the same VLAN tag", 1, (version) => run(3, { version })),
		{ found: tags(VLAN_5, VLAN_5, VLAN_5) },
	),
	...also(
		both("another VLAN", 2, (version) => run(2, { version })),
		{ found: tags(VLAN_5, VLAN_5 + 1) },
	),
	...also(
		both("another priority of the same VLAN", 2, (version) => run(2, { version })),
		{ found: tags(VLAN_5, VLAN_5 + 0x2000) },
	),
	...also(
		both("a VLAN tag on one", 2, (version) => run(2, { version })),
		{ found: tags(VLAN_5, 0) },
	),
	...also(
		both("another kind of VLAN tag", 2, (version) => run(2, { version })),
		{ found: tags(VLAN_5, 0x88a8_0005) },
	),
	...also(
		both("a tag of VLAN 0, and none", 2, (version) => run(2, { version })),
		{ found: tags(0x8100_0000, 0) },
	),
];

/** Two segments whose sum, from the IP header on, is `size`. */
const twoOf = (version: 4 | 6, size: number): readonly Buffer[] => {
	const payload = size - (version === 4 ? 40 : 60);
	const first = Math.max(40_000, payload - 40_000);
	return [
		frame({ version, payload: first }),
		frame({ version, payload: payload - first, seq: 1 + first, id: 1 }),
	];
};

const limits: readonly Case[] = [
	...both("65,535 bytes: a packet has no more", 1, (version) => twoOf(version, 65_535)),
	...both("65,536 bytes", 2, (version) => twoOf(version, 65_536)),
	...both("65,537 bytes", 2, (version) => twoOf(version, 65_537)),
	...both("one of 65,535 bytes alone", 1, (version) => [
		frame({ version, payload: 65_535 - (version === 4 ? 40 : 60) }),
	]),
	...also(
		both("just below gro_max_size", 1, (version) => twoOf(version, 49_999)),
		{ maxSize: 50_000, ipv4MaxSize: 50_000 },
	),
	...also(
		both("gro_max_size", 2, (version) => twoOf(version, 50_000)),
		{ maxSize: 50_000, ipv4MaxSize: 50_000 },
	),
	v4("gro_ipv4_max_size is IPv4's", 2, run(2), { ipv4MaxSize: 240 }),
	v4("gro_ipv4_max_size is not IPv6's", 1, run(2, { version: 6 }), { ipv4MaxSize: 240 }),
	v4("gro_max_size is not IPv4's", 1, run(2), { maxSize: 240 }),
	v6("gro_max_size is IPv6's", 2, run(2, { version: 6 }), { maxSize: 240 }),
	...also(
		both("a gro_max_size that nothing fits", 3, (version) => run(3, { version })),
		{ maxSize: 1, ipv4MaxSize: 1 },
	),
	...also(
		both("the one behind gro_max_size starts anew", 3, (version) => run(6, { version })),
		{ maxSize: 300, ipv4MaxSize: 300 },
	),
];

export const TABLE: readonly Case[] = [
	...[...data, ...flags, ...tcp, ...network, ...sizes],
	...[...device, ...limits],
];
