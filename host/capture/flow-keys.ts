// Decodes what a flow dissector answers (`struct bpf_flow_keys`, 56 bytes) into typed values and text. Refuses any other length, and never guesses what the dissector did not say.

import { formatIpv4, formatIpv6 } from "./addresses.ts";
import { invalid } from "./capture.ts";

/** Size of `struct bpf_flow_keys` (include/uapi/linux/bpf.h) in bytes. */
export const FLOW_KEYS_BYTES = 56;

const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;

/** `struct bpf_flow_keys`. Offsets count from the start of the dissected data; protocols and ports are plain numbers. */
export interface FlowKeys {
	readonly networkOffset: number;
	readonly transportOffset: number;
	/** EtherType of the addresses below: 0x0800, 0x86dd, or 0 where the dissector found none. */
	readonly addressProtocol: number;
	readonly isFragment: boolean;
	readonly isFirstFragment: boolean;
	readonly isEncapsulated: boolean;
	/** IANA protocol number of the transport, 0 where none was found. */
	readonly ipProtocol: number;
	/** EtherType of the network header. */
	readonly networkProtocol: number;
	readonly sourcePort: number;
	readonly destinationPort: number;
	/** Text; undefined unless `addressProtocol` is IPv4 or IPv6. */
	readonly source: string | undefined;
	readonly destination: string | undefined;
	/** BPF_FLOW_DISSECTOR_F_* bits that the caller passed in. */
	readonly flags: number;
	readonly flowLabel: number;
}

/**
 * Decodes the 56 bytes of `struct bpf_flow_keys`; any other length is CAPTURE_INVALID.
 *
 * nhoff, thoff, addr_proto and flags are in the byte order of the host that ran the program (little endian unless
 * said otherwise); n_proto, ports, addresses and flow_label are in network order.
 */
export function decodeFlowKeys(bytes: Uint8Array, hostOrder: "LE" | "BE" = "LE"): FlowKeys {
	if (bytes.length !== FLOW_KEYS_BYTES) {
		invalid(`flow keys are ${FLOW_KEYS_BYTES} bytes, not ${bytes.length}`, { length: bytes.length });
	}
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const little = hostOrder === "LE";
	const addressProtocol = view.getUint16(4, little);
	return {
		networkOffset: view.getUint16(0, little),
		transportOffset: view.getUint16(2, little),
		addressProtocol,
		isFragment: view.getUint8(6) !== 0,
		isFirstFragment: view.getUint8(7) !== 0,
		isEncapsulated: view.getUint8(8) !== 0,
		ipProtocol: view.getUint8(9),
		networkProtocol: view.getUint16(10),
		sourcePort: view.getUint16(12),
		destinationPort: view.getUint16(14),
		...addresses(bytes, addressProtocol),
		flags: view.getUint32(48, little),
		flowLabel: view.getUint32(52),
	};
}

/** `source → destination protocol` with ports where there are any, as one line of text. */
export function formatFlow(keys: FlowKeys): string {
	const end = (address: string | undefined, port: number) => {
		if (address === undefined) return "-";
		if (port === 0) return address;
		return keys.addressProtocol === ETH_P_IPV6 ? `[${address}]:${port}` : `${address}:${port}`;
	};
	const from = end(keys.source, keys.sourcePort);
	const to = end(keys.destination, keys.destinationPort);
	return `${from} → ${to} ${transportName(keys)}`;
}

/** Lowercase name of the transport as RFC 790 onward call it, `ip-proto N` for others, or the network protocol. */
export function transportName(keys: FlowKeys): string {
	if (keys.addressProtocol === 0 && keys.ipProtocol === 0) return networkName(keys.networkProtocol);
	return TRANSPORTS[keys.ipProtocol] ?? `ip-proto ${keys.ipProtocol}`;
}

/** Lowercase name of an EtherType, or its number in hex. */
export function networkName(etherType: number): string {
	return NETWORKS[etherType] ?? `0x${etherType.toString(16).padStart(4, "0")}`;
}

// IANA protocol numbers, those that the kernel's dissector or its captures meet.
const TRANSPORTS: Readonly<Record<number, string>> = {
	1: "icmp",
	2: "igmp",
	4: "ipip",
	6: "tcp",
	17: "udp",
	33: "dccp",
	41: "ipv6",
	46: "rsvp",
	47: "gre",
	50: "esp",
	51: "ah",
	58: "icmpv6",
	88: "eigrp",
	89: "ospf",
	103: "pim",
	112: "vrrp",
	115: "l2tp",
	132: "sctp",
	136: "udplite",
	137: "mpls",
};

// IANA EtherTypes, likewise.
const NETWORKS: Readonly<Record<number, string>> = {
	[ETH_P_IP]: "ipv4",
	[ETH_P_IPV6]: "ipv6",
	2054: "arp",
	33024: "vlan",
	34887: "mpls",
	34888: "mpls",
	34915: "pppoe-discovery",
	34916: "pppoe",
	34984: "qinq",
	35020: "lldp",
	35063: "ptp",
};

function addresses(bytes: Uint8Array, protocol: number): Pick<FlowKeys, "source" | "destination"> {
	if (protocol === ETH_P_IP) {
		return { source: formatIpv4(bytes.subarray(16, 20)), destination: formatIpv4(bytes.subarray(20, 24)) };
	}
	if (protocol === ETH_P_IPV6) {
		return { source: formatIpv6(bytes.subarray(16, 32)), destination: formatIpv6(bytes.subarray(32, 48)) };
	}
	return { source: undefined, destination: undefined };
}
