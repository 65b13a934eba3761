// Random sequences of frames near what GRO decides on: a few flows in order, with a fault now and then. Refuses randomness that a second run cannot repeat.
import { seeded } from "#test/dissector/mutate.ts";
import { CWR, DF, ECE, FIN, frame, PSH, RST, type Spec, SYN, timestamps, URG } from "./packet.ts";

type Below = (limit: number) => number;

interface Flow {
	base: Spec;
	seq: number;
	id: number;
	readonly step: number;
	readonly mss: number;
}

export function randomSequences(seed: number, count: number): readonly (readonly Buffer[])[] {
	const below = seeded(seed);
	return Array.from({ length: count }, () => sequence(below));
}

function sequence(below: Below): readonly Buffer[] {
	const count = below(4) === 0 ? 1 + below(11) : 1 + below(3);
	const flows = Array.from({ length: count }, (_, index) => newFlow(below, index));
	const length = below(50) === 0 ? 63 : 1 + below(14);
	return Array.from({ length }, (_, index) => {
		const flow = flows[below(flows.length)]!;
		return nextFrame(below, flow, index);
	});
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
	return { base, seq, id: below(4) === 0 ? 0xfffe : below(65536), step: below(3) === 0 ? 0 : 1, mss };
}

function extensions(below: Below) {
	const kinds = [0, 43, 60];
	return Array.from({ length: 1 + below(3) }, () => ({
		kind: kinds[below(3)]!,
		body: Array.from({ length: [6, 14, 22][below(3)]! }, () => below(2)),
	}));
}

function nextFrame(below: Below, flow: Flow, index: number): Buffer {
	const payload = below(8) === 0 ? below(flow.mss + 3) : flow.mss;
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
