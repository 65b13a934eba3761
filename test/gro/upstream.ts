// The kernel's own GRO selftest, case by case, with its packets and with the payloads that it expects: tools/testing/selftests/net/lib/gro.c (before 2025 net/gro.c), whose cases
// drivers/net/gro.py and drivers/net/hw/gro_hw.py run. Written from that program, none of its code is here. Refuses cases that it does not have: those are table.ts's.
import type { Sequence } from "./batch.ts";
import { CWR, DF, frame, PSH, RST, type Spec, SYN, timestamps, URG } from "./packet.ts";

export interface UpstreamCase extends Sequence {
	/** As upstream names it, with --ipv4 or --ipv6. */
	readonly name: string;
	/** Lengths of payload in the order of delivery, as the program expects them. */
	readonly payloads: readonly number[];
	/** Where Linux 6.18 does something else than the program, which goes with a newer kernel: what, and since when. */
	readonly here?: { readonly payloads: readonly number[]; readonly why: string };
}

const PAYLOAD = 100;
const MTU = 4096;

type Version = 4 | 6;

/** A packet as the program makes it: all of them with ID 0. */
function packet(version: Version, at: number, spec: Spec = {}): Buffer {
	const base = { version, sport: 1500, dport: 8000, ack: 100, window: 65_535, ttl: 8, payload: PAYLOAD };
	return frame({ ...base, seq: 100 + at, ...spec });
}

const packets = (version: Version, count: number, each: (index: number) => Spec = () => ({})) =>
	Array.from({ length: count }, (_, index) => packet(version, index * PAYLOAD, each(index)));

/** Packet 2 of 5 has the flag and, but for PSH, nothing else. */
function flagged(version: Version, flag: number): readonly Buffer[] {
	const odd = flag === PSH ? { flags: 16 | flag } : { flags: 16 | flag, payload: 0, seq: 100 };
	return packets(version, 5, (index) => (index === 2 ? odd : {}));
}

/** As many full segments as fit, then two of `remainder` bytes. */
function large(version: Version, more: number): readonly Buffer[] {
	const { mss, count, remainder } = largeOf(version);
	const full = Array.from({ length: count }, (_, index) => packet(version, index * mss, { payload: mss }));
	const last = [count, count + 1].map((index) => packet(version, index * mss, { payload: remainder + more }));
	return [...full, ...last];
}

function largeOf(version: Version) {
	const headers = version === 4 ? 40 : 60;
	const [mss, most] = [MTU - headers, 65_535 - headers];
	return { mss, most, count: Math.floor(most / mss), remainder: most % mss };
}

/** The first of each flow, then the second, with PSH. */
function capacity(version: Version, flows: number): readonly Buffer[] {
	return [0, 1].flatMap((turn) =>
		Array.from({ length: flows }, (_, flow) => {
			const spec = { payload: 200, sport: 1500 + flow, fill: 0x61 + flow, flags: turn === 0 ? 16 : 16 | PSH };
			return packet(version, 200 * turn, spec);
		}),
	);
}

const times = (count: number, value: number): readonly number[] => Array(count).fill(value);
const stamp = (order: number, value: number): readonly number[] => {
	const [nop, option] = [[1, 1], timestamps(value, 0).slice(2)];
	if (order === 0) return [...nop, ...option];
	return order === 1 ? [1, ...option, 1] : [...option, ...nop];
};

type Common = Omit<UpstreamCase, "name">;

function commonCases(version: Version): Readonly<Record<string, Common>> {
	const two = (second: Spec, first: Spec = {}) => [
		packet(version, 0, first),
		packet(version, first.payload ?? PAYLOAD, second),
	];
	const { most, remainder } = largeOf(version);
	return {
		data_same: { frames: two({}), payloads: [200] },
		data_lrg_sml: { frames: two({ payload: 50 }), payloads: [150] },
		data_lrg_1byte: { frames: two({ payload: 1 }), payloads: [101] },
		data_sml_lrg: { frames: two({}, { payload: 50 }), payloads: [50, 100] },
		"data_burst, first": { frames: packets(version, 2), payloads: [200] },
		"data_burst, second": { frames: packets(version, 4).slice(2), payloads: [200] },
		ack: {
			frames: [0, 0, 1].map((more) => packet(version, 0, { payload: 0, ack: 100 + more })),
			payloads: [0, 0, 0],
		},
		flags_psh: { frames: flagged(version, PSH), payloads: [300, 200] },
		flags_syn: { frames: flagged(version, SYN), payloads: [200, 0, 200] },
		flags_rst: { frames: flagged(version, RST), payloads: [200, 0, 200] },
		flags_urg: { frames: flagged(version, URG), payloads: [200, 0, 200] },
		flags_cwr: {
			frames: packets(version, 5, (index) => (index === 1 || index === 2 ? { flags: 16 | CWR } : {})),
			payloads: [100, 200, 200],
			here: {
				payloads: [100, 100, 100, 200],
				why: "until Linux 6.19 CWR ends a run even where all packets have it; since 7.0 (ab4c8b6f7fcb) only a change of it does",
			},
		},
		tcp_csum: { frames: two({ wrong: { tcp: -1 } }), payloads: [100, 100] },
		tcp_seq: { frames: two({ seq: 201 }), payloads: [100, 100] },
		tcp_ts: {
			frames: packets(version, 5, (index) => ({
				options: stamp(Math.max(0, index - 2), index < 2 ? 0 : 100),
			})),
			payloads: [200, 100, 100, 100],
		},
		tcp_opt: {
			frames: packets(version, 3, (index) => ({ options: index < 2 ? stamp(0, 0) : [1, 3, 3, 0] })),
			payloads: [200, 100],
		},
		ip_ecn: { frames: two({ tos: 2 }), payloads: [100, 100] },
		ip_tos: { frames: two({ tos: version === 4 ? 1 : 0xf0 }), payloads: [100, 100] },
		large_max: { frames: large(version, 0), payloads: [most, remainder] },
		large_rem: { frames: large(version, 1), payloads: [most - remainder, remainder + 1, remainder + 1] },
		single: { frames: packets(version, 1), payloads: [100] },
		"capacity, 4 flows": { frames: capacity(version, 4), payloads: times(4, 400) },
		"capacity, 8 flows": { frames: capacity(version, 8), payloads: times(8, 400) },
		"capacity, 31 flows of which the device gives hashes": {
			frames: capacity(version, 31),
			found: Array.from({ length: 62 }, (_, index) => ({ hash: index % 31 })),
			payloads: times(31, 400),
		},
	};
}

const ids = (fragment: number, ...values: readonly number[]): readonly Buffer[] =>
	packets(4, values.length, (index) => ({ id: values[index]!, fragment }));
// RFC 791 section 3.1: timestamps only, room for 9.
const TIMESTAMP_OPTION = [68, 40, 5, 0, ...times(36, 0)];

const ipv4Cases: Readonly<Record<string, Common>> = {
	ip_ttl: { frames: packets(4, 2, (index) => ({ ttl: 8 - index })), payloads: [100, 100] },
	ip_opt: {
		frames: packets(4, 3, (index) => (index === 1 ? { ipOptions: TIMESTAMP_OPTION } : {})),
		payloads: [100, 100, 100],
	},
	ip_frag4: {
		frames: packets(4, 2, (index) => (index === 1 ? { fragment: DF | 0x2000 } : {})),
		payloads: [100, 100],
	},
	ip_id_df1_inc: { frames: ids(DF, 8, 9), payloads: [200] },
	ip_id_df1_fixed: { frames: ids(DF, 8, 8), payloads: [200] },
	ip_id_df0_inc: { frames: ids(0, 8, 9), payloads: [200] },
	ip_id_df0_fixed: { frames: ids(0, 8, 8), payloads: [200] },
	ip_id_df1_inc_fixed: { frames: ids(DF, 8, 9, 9), payloads: [200, 100] },
	ip_id_df1_fixed_inc: { frames: ids(DF, 8, 8, 9), payloads: [200, 100] },
};

const extended = (...values: readonly number[]): readonly Buffer[] =>
	packets(6, values.length, (index) => ({ extensions: [{ kind: 60, body: times(6, values[index]!) }] }));

const ipv6Cases: Readonly<Record<string, Common>> = {
	// The program waits a second before the fragment: that is a poll of its own.
	"ip_frag6, before": { frames: packets(6, 2), payloads: [200] },
	"ip_frag6, the fragment and behind": {
		frames: packets(6, 4, (index) =>
			index === 2 ? { extensions: [{ kind: 44, body: times(6, 0) }] } : {},
		).slice(2),
		payloads: [100, 100],
	},
	ip_v6ext_same: { frames: extended(0, 0), payloads: [200] },
	ip_v6ext_diff: { frames: extended(0, 0x11), payloads: [100, 100] },
};

const named = (protocol: string, cases: Readonly<Record<string, Common>>): readonly UpstreamCase[] =>
	Object.entries(cases).map(([name, one]) => ({ name: `${name} --${protocol}`, ...one }));

export const UPSTREAM: readonly UpstreamCase[] = [
	...named("ipv4", { ...commonCases(4), ...ipv4Cases }),
	...named("ipv6", { ...commonCases(6), ...ipv6Cases }),
];

/** The packets of a case within another IP header, as --ipip and --ip6ip6 have them. */
export function tunneled(frames: readonly Buffer[], version: Version): readonly Buffer[] {
	return frames.map((bytes) =>
		frame({ version, ttl: 8, protocol: version === 4 ? 4 : 41, inner: bytes.subarray(14) }),
	);
}

/** Bytes of TCP payload in a frame. */
export function payloadOf(bytes: Buffer): number {
	if (bytes.readUInt16BE(12) === 0x0800) {
		const tcp = 14 + (bytes[14]! & 15) * 4;
		return bytes.length - tcp - (bytes[tcp + 12]! >> 4) * 4;
	}
	const tcp = 54 + (bytes[20] === 6 ? 0 : 8);
	return bytes.length - tcp - (bytes[tcp + 12]! >> 4) * 4;
}
