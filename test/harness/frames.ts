// Builds Ethernet frames with correct lengths and checksums, by nesting layers from the outside in. Refuses to guess: a layer that cannot say what it is cannot be nested.

/** The addresses that a transport checksum covers (RFC 793, RFC 8200 section 8.1). */
type Pseudo = (protocol: number, length: number) => Uint8Array;

/** A layer with everything inside it. */
export interface Layer {
	/** EtherType, where the layer can stand right behind an Ethernet, VLAN or GRE header. */
	readonly etherType?: number;
	/** IANA protocol number, where the layer can stand right behind an IP header. */
	readonly ipProtocol?: number;
	bytes(pseudo?: Pseudo): Uint8Array;
}

export interface Ports {
	readonly sourcePort: number;
	readonly destinationPort: number;
	readonly payload?: Uint8Array;
}

export interface Addresses {
	readonly source: string;
	readonly destination: string;
}

/** Ethernet II; behind GRE it is transparent Ethernet bridging (0x6558). */
export function ethernet(macs: Addresses, inner: Layer): Layer {
	return {
		etherType: 0x6558,
		bytes: () => Buffer.concat([mac(macs.destination), mac(macs.source), typed(inner)]),
	};
}

/** A VLAN tag, 802.1Q unless `etherType` says otherwise (0x88a8: 802.1ad); put it inside `ethernet` or another tag. */
export function vlan(id: number, inner: Layer, etherType = 0x8100): Layer {
	return { etherType, bytes: () => Buffer.concat([u16(id), typed(inner)]) };
}

/** IPv4 without options, don't-fragment set, TTL 64. */
export function ipv4(addresses: Addresses, inner: Layer): Layer {
	const source = Buffer.from(addresses.source.split(".").map(Number));
	const destination = Buffer.from(addresses.destination.split(".").map(Number));
	const pseudo: Pseudo = (protocol, length) => {
		return Buffer.concat([source, destination, Buffer.of(0, protocol), u16(length)]);
	};
	return {
		etherType: 0x0800,
		ipProtocol: 4,
		bytes() {
			const payload = inner.bytes(pseudo);
			const start = [Buffer.of(0x45, 0), u16(20 + payload.length), u16(1), u16(0x4000)];
			const header = Buffer.concat([...start, Buffer.of(64, protocolOf(inner)), u16(0), source, destination]);
			header.writeUInt16BE(checksum(header), 10);
			return Buffer.concat([header, payload]);
		},
	};
}

/** IPv6 without extension headers, hop limit 64. Addresses are full or with one `::`. */
export function ipv6(addresses: Addresses, inner: Layer, flowLabel = 0): Layer {
	const [source, destination] = [ipv6Bytes(addresses.source), ipv6Bytes(addresses.destination)];
	const pseudo: Pseudo = (protocol, length) => {
		return Buffer.concat([source, destination, u32(length), Buffer.of(0, 0, 0, protocol)]);
	};
	return {
		etherType: 0x86dd,
		ipProtocol: 41,
		bytes() {
			const payload = inner.bytes(pseudo);
			const start = [u32(0x6000_0000 + flowLabel), u16(payload.length), Buffer.of(protocolOf(inner), 64)];
			return Buffer.concat([...start, source, destination, payload]);
		},
	};
}

/** TCP, a data segment (PSH, ACK) without options. */
export function tcp(ports: Ports): Layer {
	return transport(6, (pseudo) => {
		const payload = ports.payload ?? new Uint8Array();
		const start = [u16(ports.sourcePort), u16(ports.destinationPort), u32(1), u32(1)];
		const segment = Buffer.concat([...start, Buffer.of(0x50, 0x18), u16(65535), u32(0), payload]);
		segment.writeUInt16BE(checksum(Buffer.concat([pseudo(6, segment.length), segment])), 16);
		return segment;
	});
}

export function udp(ports: Ports): Layer {
	return transport(17, (pseudo) => {
		const payload = ports.payload ?? new Uint8Array();
		const length = u16(8 + payload.length);
		const datagram = Buffer.concat([
			u16(ports.sourcePort),
			u16(ports.destinationPort),
			length,
			u16(0),
			payload,
		]);
		// RFC 768: a sum of zero is sent as all ones, zero means none.
		datagram.writeUInt16BE(checksum(Buffer.concat([pseudo(17, datagram.length), datagram])) || 0xffff, 6);
		return datagram;
	});
}

/** GRE version 0 (RFC 2784) with the optional key and sequence number of RFC 2890 and the optional checksum. */
export function gre(options: { key?: number; sequence?: number; checksum?: boolean }, inner: Layer): Layer {
	return transport(47, () => {
		const flags =
			(options.checksum ? 0x8000 : 0) |
			(options.key === undefined ? 0 : 0x2000) |
			(options.sequence === undefined ? 0 : 0x1000);
		const parts = [u16(flags), u16(etherTypeOf(inner))];
		if (options.checksum) parts.push(u32(0));
		if (options.key !== undefined) parts.push(u32(options.key));
		if (options.sequence !== undefined) parts.push(u32(options.sequence));
		const packet = Buffer.concat([...parts, inner.bytes()]);
		if (options.checksum) packet.writeUInt16BE(checksum(packet), 4);
		return packet;
	});
}

/** The Internet checksum (RFC 1071). */
export function checksum(bytes: Uint8Array): number {
	let sum = 0;
	for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
	while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
	return ~sum & 0xffff;
}

function transport(ipProtocol: number, build: (pseudo: Pseudo) => Uint8Array): Layer {
	return {
		ipProtocol,
		bytes(pseudo) {
			if (pseudo === undefined) throw new Error(`protocol ${ipProtocol} stands behind no IP header`);
			return build(pseudo);
		},
	};
}

function typed(inner: Layer): Uint8Array {
	return Buffer.concat([u16(etherTypeOf(inner)), inner.bytes()]);
}

function etherTypeOf(inner: Layer): number {
	if (inner.etherType === undefined)
		throw new Error("this layer has no EtherType: it needs an IP header around it");
	return inner.etherType;
}

function protocolOf(inner: Layer): number {
	if (inner.ipProtocol === undefined) throw new Error("this layer has no IP protocol number");
	return inner.ipProtocol;
}

function mac(text: string): Buffer {
	return Buffer.from(text.replaceAll(":", ""), "hex");
}

function ipv6Bytes(text: string): Buffer {
	const [head = "", tail] = text.split("::");
	const groups = (part: string) => (part === "" ? [] : part.split(":"));
	const [left, right] = [groups(head), groups(tail ?? "")];
	const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
	return Buffer.concat([...left, ...zeros, ...right].map((group) => u16(Number.parseInt(group, 16))));
}

function u16(value: number): Buffer {
	const bytes = Buffer.alloc(2);
	bytes.writeUInt16BE(value);
	return bytes;
}

function u32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes;
}
