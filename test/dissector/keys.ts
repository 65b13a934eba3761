// The 56 bytes of struct bpf_flow_keys (include/uapi/linux/bpf.h) as a value. Refuses to know any packet format.

/** What a dissection found; offsets in bytes from the packet's start, everything else as a number or bytes in packet order. */
export interface FlowKeys {
	nhoff: number;
	thoff: number;
	/** 0, ETH_P_IP or ETH_P_IPV6. */
	addrProto: number;
	isFrag: boolean;
	isFirstFrag: boolean;
	isEncap: boolean;
	ipProto: number;
	nProto: number;
	/** Source and destination port, or an SPI: 4 bytes in packet order. */
	ports: Uint8Array;
	/** 4 or 16 bytes each, by addrProto; empty for 0. */
	src: Uint8Array;
	dst: Uint8Array;
	flags: number;
	/** 20 bits. */
	flowLabel: number;
}

/**
 * What the C dissector also has in its flow hash, but struct bpf_flow_keys has no room for. `stale-address`: struct
 * flow_keys ends in 4 bytes of padding that flow_keys_hash_length() does not know of, so the hash of an IPv4 flow takes
 * in the 4 bytes behind its addresses. Inside of IPv6 those are bytes 8 to 11 of the outer source address. `random`: the C
 * dissector gives every TIPC keepalive another hash.
 */
export type Uncarried = "vlan" | "gre-key" | "stale-address" | "random";

export const KEYS_SIZE = 56;
export const FLAG = {
	parseFirstFragment: 1,
	stopAtFlowLabel: 2,
	stopAtEncap: 4,
	stopBeforeEncap: 8,
} as const;
export const VERDICT = { good: 0, bad: 2, continue: 129 } as const;

/** The keys as the kernel has them before the program runs (net/core/flow_dissector.c, bpf_flow_dissect()). */
export function initialKeys(nhoff: number, nProto: number, flags: number): FlowKeys {
	return {
		nhoff,
		thoff: nhoff,
		addrProto: 0,
		isFrag: false,
		isFirstFrag: false,
		isEncap: false,
		ipProto: 0,
		nProto,
		ports: new Uint8Array(4),
		src: new Uint8Array(0),
		dst: new Uint8Array(0),
		flags,
		flowLabel: 0,
	};
}

/** Encodes for a little-endian machine; what the keys do not carry is zero. */
export function encodeKeys(keys: FlowKeys): Uint8Array {
	const bytes = new Uint8Array(KEYS_SIZE);
	const view = new DataView(bytes.buffer);
	view.setUint16(0, keys.nhoff, true);
	view.setUint16(2, keys.thoff, true);
	view.setUint16(4, keys.addrProto, true);
	bytes[6] = Number(keys.isFrag);
	bytes[7] = Number(keys.isFirstFrag);
	bytes[8] = Number(keys.isEncap);
	bytes[9] = keys.ipProto;
	view.setUint16(10, keys.nProto);
	bytes.set(keys.ports, 12);
	bytes.set(keys.src, 16);
	bytes.set(keys.dst, 16 + keys.src.length);
	view.setUint32(48, keys.flags, true);
	view.setUint32(52, keys.flowLabel);
	return bytes;
}

/** Names the fields in which two encoded keys differ, for a test's message. */
export function differingFields(left: Uint8Array, right: Uint8Array): string[] {
	return FIELDS.filter(([, start, end]) =>
		left.subarray(start, end).some((byte, index) => byte !== right[start + index]),
	).map(([name]) => name);
}

const FIELDS: readonly (readonly [string, number, number])[] = [
	["nhoff", 0, 2],
	["thoff", 2, 4],
	["addr_proto", 4, 6],
	["is_frag", 6, 7],
	["is_first_frag", 7, 8],
	["is_encap", 8, 9],
	["ip_proto", 9, 10],
	["n_proto", 10, 12],
	["ports", 12, 16],
	["addresses", 16, 48],
	["flags", 48, 52],
	["flow_label", 52, 56],
];
