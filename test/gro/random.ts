// Random sequences of frames near what GRO decides on: a few flows in order, with a fault now and then. Refuses randomness that a second run cannot repeat.
import { seeded } from "#test/dissector/mutate.ts";
import type { Found, Sequence } from "./batch.ts";
import { CWR, DF, ECE, FIN, frame, PSH, RST, type Spec, SYN, timestamps, URG } from "./packet.ts";

type Below = (limit: number) => number;

interface Flow {
	base: Spec;
	found: Found;
	seq: number;
	id: number;
	readonly step: number;
	readonly mss: number;
}

export function randomSequences(seed: number, count: number): readonly Sequence[] {
	const below = seeded(seed);
	return Array.from({ length: count }, () => sequence(below));
}

function sequence(below: Below): Sequence {
	const kind = below(40);
	if (kind === 0) return longSequence(below);
	const count = below(4) === 0 ? 1 + below(11) : 1 + below(3);
	const flows = Array.from({ length: count }, (_, index) => newFlow(below, index));
	const length = below(50) === 0 ? 63 : 1 + below(14);
	return of(below, flows, length, kind < 8 ? 100 + below(5000) : undefined);
}

/** Frames of up to 64 KiB, near the highest length of a packet. */
function longSequence(below: Below): Sequence {
	const version = below(2) === 0 ? 4 : 6;
	const mss = 8000 + below(57_000);
	const flow = { ...newFlow(below, 0), base: { version }, mss } as const;
	return of(below, [flow], 2 + below(9), below(2) === 0 ? 30_000 + below(35_537) : undefined);
}

function of(below: Below, flows: readonly Flow[], length: number, limit: number | undefined): Sequence {
	const found: Found[] = [];
	const frames = Array.from({ length }, (_, index) => {
		const flow = flows[below(flows.length)]!;
		found.push(below(20) === 0 ? findings(below) : flow.found);
		return nextFrame(below, flow, index);
	});
	const limits = limit === undefined ? {} : { maxSize: limit, ipv4MaxSize: below(2) === 0 ? limit : 65536 };
	return { frames, found, ...limits };
}

/** Half of the flows come from a device that finds out nothing. */
function findings(below: Below): Found {
	if (below(2) === 0) return {};
	const tags = [0, 0x8100_0000, 0x8100_0005, 0x8100_2005, 0x88a8_0005];
	return { hash: [0, 1, 9, 8, 0xffff_ffff, below(1 << 30)][below(6)]!, vlan: tags[below(5)]! };
}

function newFlow(below: Below, index: number): Flow {
	const version = below(2) === 0 ? 4 : 6;
	const seq = below(8) === 0 ? 0xffffff00 : below(1 << 30);
	const base: Spec = {
		version,
		source: 1 + below(2),
		sport: 1000 + index,
		options: [[], timestamps(1000), [1, 1, 1, 0], Array(40).fill(1)][below(4)]!,
		fragment: below(3) === 0 ? 0 : DF,
		tos: below(4),
		...(version === 6 && below(4) === 0 ? { extensions: extensions(below) } : {}),
	};
	const mss = [1, 8, 100, 536, 1400][below(5)]!;
	return {
		base,
		found: findings(below),
		seq,
		id: below(4) === 0 ? 0xfffe : below(65536),
		step: below(3) === 0 ? 0 : 1,
		mss,
	};
}

function extensions(below: Below) {
	const kinds = [0, 43, 60];
	return Array.from({ length: 1 + below(3) }, () => ({
		kind: kinds[below(3)]!,
		body: Array.from({ length: [6, 14, 22][below(3)]! }, () => below(2)),
	}));
}

function nextFrame(below: Below, flow: Flow, index: number): Buffer {
	const payload = below(8) === 0 ? Math.min(below(flow.mss + 3), 65_000) : flow.mss;
	const whole: Spec = { ...flow.base, seq: flow.seq, id: flow.id, payload, fill: 0x41 + (index % 60) };
	const spec = below(5) === 0 ? fault(below, flow, whole) : whole;
	if (below(30) !== 0) {
		flow.seq = (flow.seq + payload) >>> 0;
		flow.id = (flow.id + flow.step) & 0xffff;
	}
	return frame(spec);
}

function fault(below: Below, flow: Flow, spec: Spec): Spec {
	const flags = [PSH, PSH, PSH, FIN, SYN, RST, URG, ECE, CWR, PSH | FIN, 0][below(11)]!;
	const faults: (() => Spec)[] = [
		() => ({ ...spec, flags: 16 | flags }),
		() => ({ ...spec, flags: 16 | flags }),
		() => ({ ...spec, seq: (spec.seq ?? 0) + below(3) - 1 }),
		() => ({ ...spec, ack: 8 }),
		() => ({ ...spec, window: 501 }),
		() => ({ ...spec, urgent: below(3) }),
		() => ({ ...spec, id: (spec.id ?? 0) + below(3) - 1 }),
		() => ({ ...spec, fragment: [0, DF, 0x8000, 0xc000, 0x2000, 5][below(6)]! }),
		() => ({ ...spec, ttl: 63 + below(3) }),
		() => ({ ...spec, tos: below(256) }),
		() => ({ ...spec, label: below(3) }),
		() => ({ ...spec, options: timestamps(1000 + below(2)) }),
		() => ({ ...spec, wrong: { tcp: 1 } }),
		() => ({ ...spec, wrong: { ip: 1 } }),
		() => ({ ...spec, wrong: { length: below(9) - 4 } }),
		() => ({ ...spec, wrong: { offset: below(5) - 2 } }),
		() => ({ ...spec, trailer: 1 + below(8) }),
		() => ({ ...spec, cut: 15 + below(90) }),
		() => ({ ...spec, mac: 3 }),
		() => ({ ...spec, protocol: [17, 1, 132, 44, 59][below(5)]! }),
		() => ({ ...spec, etherType: [0x88b6, 0x88b5, 0x0806][below(3)]! }),
		() =>
			spec.version === 6 ? { ...spec, extensions: extensions(below) } : { ...spec, ipOptions: [1, 1, 1, 0] },
	];
	const chosen = faults[below(faults.length)]!();
	// A fault that stays is a flow of its own; one that goes is a gap.
	if (below(6) === 0) {
		const { seq: _seq, id: _id, payload: _payload, fill: _fill, wrong: _wrong, cut: _cut, ...base } = chosen;
		flow.base = base;
	}
	return chosen;
}
