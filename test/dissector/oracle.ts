// What the keys of a packet must be: an independent dissector, written from the RFCs and the hook's documentation
// (Documentation/bpf/prog_flow_dissector.rst). Refuses to share a line, a table or a trick with the program it judges.
import { encodeKeys, FLAG, type FlowKeys, initialKeys, VERDICT } from "./keys.ts";

/**
 * What the C dissector also has in its flow hash, but struct bpf_flow_keys has no room for. `stale-address`: struct
 * flow_keys ends in 4 bytes of padding that flow_keys_hash_length() does not know of, so the hash of an IPv4 flow takes
 * in the 4 bytes behind its addresses. Inside of IPv6 those are bytes 8 to 11 of the outer source address.
 */
export type Uncarried = "vlan" | "gre-key" | "stale-address";

export interface Dissection {
	readonly retval: number;
	readonly keys: FlowKeys;
	readonly uncarried: ReadonlySet<Uncarried>;
}

/** The first header, plus this many behind it (net/core/flow_dissector.c, MAX_FLOW_DISSECT_HDRS). */
const HEADERS_BEHIND_FIRST = 15;
const ETHERNET_LENGTH = 14;
const ETHERTYPE = { ip: 0x0800, arp: 0x0806, rarp: 0x8035, teb: 0x6558, ipv6: 0x86dd } as const;
const VLAN_TAGS = new Set([0x8100, 0x88a8]);
const MPLS = new Set([0x8847, 0x8848]);
/** IANA protocol numbers: where the 4 bytes are that tell two flows apart (RFC 768, 9293, 3828, 9260, 4340, 4303, 4302). */
const PORTS_AT = new Map([
	[6, 0],
	[17, 0],
	[136, 0],
	[132, 0],
	[33, 0],
	[50, 0],
	[51, 4],
]);

/** The packet ended before the header did. */
class Cut extends Error {}
/** The walk is over, for better or worse. */
class End extends Error {
	readonly verdict: keyof typeof VERDICT;
	constructor(verdict: keyof typeof VERDICT) {
		super(verdict);
		this.verdict = verdict;
	}
}

/** Dissects an Ethernet frame (at least 14 bytes) as BPF_PROG_TEST_RUN would have the program do it, the kernel's clamp included. */
export function dissect(frame: Uint8Array, flags = 0): Dissection {
	const ethertype = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
	const walk = new Walk(frame, initialKeys(ETHERNET_LENGTH, ethertype, flags));
	const verdict = walk.run();
	const { keys } = walk;
	keys.nhoff = Math.min(Math.max(keys.nhoff, ETHERNET_LENGTH), frame.length);
	keys.thoff = Math.min(Math.max(keys.thoff, keys.nhoff), frame.length);
	return { retval: VERDICT[verdict], keys, uncarried: walk.uncarried };
}

/** `dissect` in the form of a vector. */
export function expectation(frame: Uint8Array, flags = 0): { retval: number; out: string } {
	const { retval, keys } = dissect(frame, flags);
	return { retval, out: Buffer.from(encodeKeys(keys)).toString("hex") };
}

class Walk {
	readonly keys: FlowKeys;
	readonly uncarried = new Set<Uncarried>();
	readonly #frame: Uint8Array;
	#followed = 0;
	/** Whether the position is behind an IP header whose payload may have ports. */
	#inTransport = false;
	#stale = false;

	constructor(frame: Uint8Array, keys: FlowKeys) {
		this.#frame = frame;
		this.keys = keys;
	}

	run(): keyof typeof VERDICT {
		if (this.keys.flags & FLAG.stopBeforeEncap) return "continue";
		try {
			this.#network();
			return "good";
		} catch (error) {
			if (error instanceof Cut) return "bad";
			if (error instanceof End) return error.verdict;
			throw error;
		} finally {
			if (this.#inTransport && !this.keys.isFrag) this.#ports();
		}
	}

	/** The next `length` bytes at `skip` bytes from the position, without moving. */
	#peek(length: number, skip = 0): DataView {
		const start = this.keys.thoff + skip;
		if (start + length > this.#frame.length) throw new Cut();
		return new DataView(this.#frame.buffer, this.#frame.byteOffset + start, length);
	}

	#follow(next: () => void): void {
		this.#followed += 1;
		if (this.#followed > HEADERS_BEHIND_FIRST) throw new End("good");
		next.call(this);
	}

	#network(): void {
		const type = this.keys.nProto;
		this.#inTransport = false;
		if (type === ETHERTYPE.ip) this.#ipv4();
		else if (type === ETHERTYPE.ipv6) this.#ipv6();
		else if (VLAN_TAGS.has(type)) this.#vlan();
		else if (MPLS.has(type)) this.keys.thoff += 4;
		else if (type !== ETHERTYPE.arp && type !== ETHERTYPE.rarp) throw new End("continue");
	}

	/** IEEE 802.1Q: TCI, then the ethertype of what follows. */
	#vlan(): void {
		this.keys.nProto = this.#peek(4).getUint16(2);
		this.uncarried.add("vlan");
		this.keys.thoff += 4;
		if (!this.keys.isEncap) this.keys.nhoff = this.keys.thoff;
		this.#follow(this.#network);
	}

	/** RFC 791 section 3.1. */
	#ipv4(): void {
		const header = this.#peek(20);
		const length = (header.getUint8(0) & 15) * 4;
		if (length < 20) throw new End("bad");
		this.#addresses(ETHERTYPE.ip, header, 12, 4);
		this.keys.ipProto = header.getUint8(9);
		this.keys.thoff += length;
		const fragment = header.getUint16(6);
		if ((fragment & 0x3fff) !== 0) this.#fragment((fragment & 0x1fff) === 0);
		this.#transport();
	}

	/** RFC 8200 section 3. */
	#ipv6(): void {
		const header = this.#peek(40);
		this.#addresses(ETHERTYPE.ipv6, header, 8, 16);
		this.keys.ipProto = header.getUint8(6);
		this.keys.thoff += 40;
		const label = header.getUint32(0) & 0xfffff;
		if (label !== 0) {
			this.keys.flowLabel = label;
			if (this.keys.flags & FLAG.stopAtFlowLabel) throw new End("good");
		}
		this.#transport();
	}

	#addresses(type: number, header: DataView, at: number, size: number): void {
		const bytes = new Uint8Array(header.buffer, header.byteOffset + at, 2 * size);
		if (type === ETHERTYPE.ipv6) this.#stale = bytes.subarray(8, 12).some((byte) => byte !== 0);
		if (type === ETHERTYPE.ip && this.#stale) this.uncarried.add("stale-address");
		else this.uncarried.delete("stale-address");
		this.keys.addrProto = type;
		this.keys.src = bytes.slice(0, size);
		this.keys.dst = bytes.slice(size);
	}

	/** Ends the walk unless this is a first fragment and the caller wants to see behind it. */
	#fragment(first: boolean): void {
		this.keys.isFrag = true;
		if (first) this.keys.isFirstFrag = true;
		if (!first || !(this.keys.flags & FLAG.parseFirstFragment)) throw new End("good");
	}

	#transport(): void {
		const { ipProto, nProto } = this.keys;
		this.#inTransport = true;
		if (nProto === ETHERTYPE.ipv6 && this.#extension(ipProto)) return;
		if (ipProto === 4) this.#tunnel(ETHERTYPE.ip);
		else if (ipProto === 41) this.#tunnel(ETHERTYPE.ipv6);
		else if (ipProto === 47) this.#gre();
		else if (ipProto === 137) {
			// RFC 4023: MPLS in IP is no tunnel of a network header that the keys could show.
			this.keys.nProto = 0x8847;
			this.#follow(this.#network);
		}
	}

	/** RFC 8200 section 4: true when the protocol is an extension header, which is then followed. */
	#extension(protocol: number): boolean {
		if (protocol === 0 || protocol === 43 || protocol === 60) {
			const header = this.#peek(2);
			this.keys.ipProto = header.getUint8(0);
			this.keys.thoff += (header.getUint8(1) + 1) * 8;
		} else if (protocol === 44) {
			const header = this.#peek(8);
			this.keys.ipProto = header.getUint8(0);
			this.keys.thoff += 8;
			this.#fragment((header.getUint16(2) & 0xfff8) === 0);
		} else return false;
		this.#follow(this.#transport);
		return true;
	}

	/** RFC 2003, 2473, 4213: a network header follows at once. */
	#tunnel(type: number): void {
		this.keys.nProto = type;
		this.#encapsulated();
	}

	#encapsulated(): void {
		this.keys.isEncap = true;
		if (this.keys.flags & FLAG.stopAtEncap) throw new End("good");
		this.#follow(this.#network);
	}

	/** RFC 2784, RFC 2890; with source routes (RFC 1701) or a later version it is opaque, and PPTP (RFC 2637) is the C code's. */
	#gre(): void {
		const header = this.#peek(4);
		const bits = header.getUint16(0);
		const version = bits & 7;
		if (bits & 0x4000 || version > 1) return;
		if (version === 1) throw new End("continue");
		this.keys.nProto = header.getUint16(2);
		let length = 4;
		if (bits & 0x8000) length += 4;
		if (bits & 0x2000) {
			this.#peek(4, length);
			this.uncarried.add("gre-key");
			length += 4;
		}
		if (bits & 0x1000) length += 4;
		if (this.keys.nProto === ETHERTYPE.teb) {
			this.keys.nProto = this.#peek(ETHERNET_LENGTH, length).getUint16(12);
			length += ETHERNET_LENGTH;
		}
		this.keys.thoff += length;
		this.#encapsulated();
	}

	#ports(): void {
		const at = PORTS_AT.get(this.keys.ipProto);
		if (at === undefined) return;
		const start = this.keys.thoff + at;
		if (start + 4 <= this.#frame.length) this.keys.ports = this.#frame.slice(start, start + 4);
	}
}
