import { describe, expect, it } from "vitest";
import { formatIpv4, formatIpv6 } from "./addresses.ts";
import { CaptureError } from "./errors.ts";
import { decodeFlowKeys, formatFlow, transportName } from "./flow-keys.ts";
import { CONTINUE, DISSECTED, type DissectedPacket, FAILED, groupFlows } from "./flows.ts";

interface Fields {
	addressProtocol?: number;
	ipProtocol?: number;
	networkProtocol?: number;
	ports?: [number, number];
	addresses?: string;
	fragment?: boolean;
	flowLabel?: number;
}

/** The 56 bytes as a little-endian kernel writes them. */
function keysBytes(fields: Fields): Uint8Array {
	const bytes = Buffer.alloc(56);
	bytes.writeUInt16LE(14, 0);
	bytes.writeUInt16LE(34, 2);
	bytes.writeUInt16LE(fields.addressProtocol ?? 0, 4);
	bytes.writeUInt8(fields.fragment ? 1 : 0, 6);
	bytes.writeUInt8(fields.ipProtocol ?? 0, 9);
	bytes.writeUInt16BE(fields.networkProtocol ?? 0, 10);
	bytes.writeUInt16BE(fields.ports?.[0] ?? 0, 12);
	bytes.writeUInt16BE(fields.ports?.[1] ?? 0, 14);
	Buffer.from(fields.addresses ?? "", "hex").copy(bytes, 16);
	bytes.writeUInt32LE(4, 48);
	bytes.writeUInt32BE(fields.flowLabel ?? 0, 52);
	return bytes;
}

const ipv4: Fields = {
	addressProtocol: 0x0800,
	networkProtocol: 0x0800,
	ipProtocol: 6,
	ports: [40000, 443],
	addresses: "c6120001c6120002",
};
const ipv6: Fields = {
	addressProtocol: 0x86dd,
	networkProtocol: 0x86dd,
	ipProtocol: 17,
	ports: [5353, 53],
	addresses: "20010db80000000000000000000000010000000000000000000000000000ffff",
	flowLabel: 0xbeef,
};

describe("decodeFlowKeys", () => {
	it("reads every field of an IPv4 answer", () => {
		expect(decodeFlowKeys(keysBytes(ipv4))).toEqual({
			networkOffset: 14,
			transportOffset: 34,
			addressProtocol: 0x0800,
			isFragment: false,
			isFirstFragment: false,
			isEncapsulated: false,
			ipProtocol: 6,
			networkProtocol: 0x0800,
			sourcePort: 40000,
			destinationPort: 443,
			source: "198.18.0.1",
			destination: "198.18.0.2",
			flags: 4,
			flowLabel: 0,
		});
	});

	it("reads IPv6 addresses and the flow label", () => {
		const keys = decodeFlowKeys(keysBytes(ipv6));
		expect(keys).toMatchObject({ source: "2001:db8::1", destination: "::ffff", flowLabel: 0xbeef });
	});

	it("reads host-order fields of a big-endian kernel", () => {
		const bytes = keysBytes(ipv4);
		for (const at of [0, 2, 4]) bytes.subarray(at, at + 2).reverse();
		bytes.subarray(48, 52).reverse();
		expect(decodeFlowKeys(bytes, "BE")).toEqual(decodeFlowKeys(keysBytes(ipv4), "LE"));
	});

	it.each([0, 55, 57])("refuses %d bytes", (length) => {
		expect(() => decodeFlowKeys(new Uint8Array(length))).toThrow(CaptureError);
	});

	it("decodes any 56 bytes to a value", () => {
		for (let n = 0; n < 256; n++) expect(decodeFlowKeys(new Uint8Array(56).fill(n)).ipProtocol).toBe(n);
	});
});

describe("text", () => {
	it.each([
		["00000000000000000000000000000000", "::"],
		["00000000000000000000000000000001", "::1"],
		["20010db8000000000001000000000001", "2001:db8::1:0:0:1"],
		["20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"],
		["20010db8000100000000000100000000", "2001:db8:1::1:0:0"],
		["00010002000300040005000600000000", "1:2:3:4:5:6::"],
		["00000000000000000000ffffc6120001", "::ffff:198.18.0.1"],
	])("of %s is %s (RFC 5952)", (hex, text) => {
		expect(formatIpv6(Buffer.from(hex, "hex"))).toBe(text);
	});

	it("refuses addresses of another length", () => {
		expect(() => formatIpv4(new Uint8Array(3))).toThrow(RangeError);
		expect(() => formatIpv6(new Uint8Array(4))).toThrow(RangeError);
	});

	it.each([
		[ipv4, "198.18.0.1:40000 → 198.18.0.2:443 tcp"],
		[ipv6, "[2001:db8::1]:5353 → [::ffff]:53 udp"],
		[{ ...ipv4, ipProtocol: 1, ports: undefined }, "198.18.0.1 → 198.18.0.2 icmp"],
		[{ ...ipv4, ipProtocol: 253, ports: undefined }, "198.18.0.1 → 198.18.0.2 ip-proto 253"],
		[{ networkProtocol: 0x0806 }, "- → - arp"],
		[{ networkProtocol: 0x1234 }, "- → - 0x1234"],
	] as [Fields, string][])("of a flow is one line: %#", (fields, text) => {
		expect(formatFlow(decodeFlowKeys(keysBytes(fields)))).toBe(text);
	});

	it("names the transport of an answer with a protocol but no addresses", () => {
		expect(transportName(decodeFlowKeys(keysBytes({ ipProtocol: 6 })))).toBe("tcp");
	});
});

describe("groupFlows", () => {
	const answer = (
		fields: Fields,
		timestampNs: bigint,
		originalLength: number,
		retval = DISSECTED,
	): DissectedPacket => ({
		packet: { timestampNs, bytes: new Uint8Array(), originalLength },
		retval,
		keys: decodeFlowKeys(keysBytes(fields)),
	});

	it("counts packets and wire bytes per flow and direction, in order of first sight", () => {
		const back = { ...ipv4, ports: [443, 40000], addresses: "c6120002c6120001" } as Fields;
		const table = groupFlows([
			answer(ipv4, 10n, 60),
			answer(ipv6, 11n, 80),
			answer({ ...ipv4, fragment: true }, 30n, 1500),
			answer(back, 31n, 52),
			answer(ipv4, 5n, 60),
		]);
		expect(
			table.flows.map((flow) => [flow.packets, flow.bytes, flow.fragments, flow.firstNs, flow.lastNs]),
		).toEqual([
			[3, 1620, 1, 5n, 30n],
			[1, 80, 0, 11n, 11n],
			[1, 52, 0, 31n, 31n],
		]);
		expect(table).toMatchObject({ failed: 0, continued: 0, unexpected: 0 });
	});

	it("keeps flow labels apart", () => {
		expect(groupFlows([answer(ipv6, 0n, 1), answer({ ...ipv6, flowLabel: 1 }, 0n, 1)]).flows).toHaveLength(2);
	});

	it("counts what was not dissected by outcome", () => {
		const table = groupFlows([FAILED, CONTINUE, CONTINUE, 1].map((retval) => answer(ipv4, 0n, 1, retval)));
		expect(table).toEqual({ flows: [], failed: 1, continued: 2, unexpected: 1 });
	});
});
