// Groups dissected packets into flows by what the dissector said of them. Refuses to count a packet twice or to lose one: every packet is in a flow or in a named remainder.
import type { CapturedPacket } from "./capture.ts";
import type { FlowKeys } from "./flow-keys.ts";

/** BPF_OK: the keys are the answer (include/uapi/linux/bpf.h). */
export const DISSECTED = 0;
/** BPF_DROP: dissection failed; the kernel keeps what keys there are, and the packet goes on. */
export const FAILED = 2;
/** BPF_FLOW_DISSECTOR_CONTINUE (kernel 6.1+): the kernel's C dissector is to start from scratch. */
export const CONTINUE = 129;

/** A packet with the program's answer to it. */
export interface DissectedPacket {
	readonly packet: CapturedPacket;
	/** Return value of the program: DISSECTED, FAILED or CONTINUE. */
	readonly retval: number;
	readonly keys: FlowKeys;
}

/** Packets with equal addresses, protocols, ports and flow label, in one direction, all or none of them in a tunnel. */
export interface Flow {
	/** Keys of the flow's first packet. */
	readonly keys: FlowKeys;
	packets: number;
	/** Bytes on the wire. */
	bytes: number;
	fragments: number;
	firstNs: bigint;
	lastNs: bigint;
}

export interface FlowTable {
	/** In the order of each flow's first packet. */
	readonly flows: readonly Flow[];
	/** Packets that the program failed on. */
	readonly failed: number;
	/** Packets that the program left to the kernel's own dissector. */
	readonly continued: number;
	/** Packets with any other return value, which the kernel treats as an error of the program. */
	readonly unexpected: number;
}

/** Groups packets whose dissection succeeded into flows; the others are counted by outcome. */
export function groupFlows(dissected: Iterable<DissectedPacket>): FlowTable {
	const flows = new Map<string, Flow>();
	const counts = { failed: 0, continued: 0, unexpected: 0 };
	for (const { packet, retval, keys } of dissected) {
		if (retval === DISSECTED) addPacket(flows, packet, keys);
		else if (retval === FAILED) counts.failed++;
		else if (retval === CONTINUE) counts.continued++;
		else counts.unexpected++;
	}
	return { flows: [...flows.values()], ...counts };
}

function addPacket(flows: Map<string, Flow>, packet: CapturedPacket, keys: FlowKeys): void {
	const id = identity(keys);
	let flow = flows.get(id);
	if (flow === undefined) {
		const at = packet.timestampNs;
		flow = { keys, packets: 0, bytes: 0, fragments: 0, firstNs: at, lastNs: at };
		flows.set(id, flow);
	}
	flow.packets++;
	flow.bytes += packet.originalLength;
	if (keys.isFragment) flow.fragments++;
	// Captures of several queues are not strictly in order of time.
	if (packet.timestampNs < flow.firstNs) flow.firstNs = packet.timestampNs;
	if (packet.timestampNs > flow.lastNs) flow.lastNs = packet.timestampNs;
}

/** What the kernel's flow hash covers of these keys, with the direction kept, and whether a tunnel was around it. */
function identity(keys: FlowKeys): string {
	const { networkProtocol, ipProtocol, source, destination, sourcePort, destinationPort, flowLabel } = keys;
	const ends = [source, destination, sourcePort, destinationPort];
	return [networkProtocol, ipProtocol, ...ends, flowLabel, keys.isEncapsulated].join(" ");
}
