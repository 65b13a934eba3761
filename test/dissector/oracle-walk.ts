// The oracle's way through a packet, header by header: a method for each standard. Refuses to know how the program does it.
import type { DissectorConfig } from "./config.ts";
import { FLAG, type FlowKeys, type Uncarried, type VERDICT } from "./keys.ts";

/** The first header, plus this many behind it (net/core/flow_dissector.c, MAX_FLOW_DISSECT_HDRS). */
const HEADERS_BEHIND_FIRST = 15;
const ETHERNET_LENGTH = 14;
const ETHERTYPE = {
	ip: 0x0800,
	teb: 0x6558,
	ipv6: 0x86dd,
	ppp: 0x880b,
	mpls: 0x8847,
	mplsMulticast: 0x8848,
} as const;
/** PPP protocol numbers (RFC 1332, 5072, 3032 section 4.3) as ethertypes. */
const PPP_AS_ETHERTYPE = new Map<number, number>([
	[0x0021, ETHERTYPE.ip],
	[0x0057, ETHERTYPE.ipv6],
	[0x0281, ETHERTYPE.mpls],
	[0x0283, ETHERTYPE.mplsMulticast],
]);
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
type Verdict = keyof typeof VERDICT | "refuse";
class End extends Error {
	readonly verdict: Verdict;
	constructor(verdict: Verdict) {
		super(verdict);
		this.verdict = verdict;
	}
}

/** One dissection; `run` once, then read `keys`. */
export class Walk {
	readonly keys: FlowKeys;
	readonly uncarried = new Set<Uncarried>();
	readonly #frame: Uint8Array;
	readonly #config: DissectorConfig;
	/** tc's flower asks: the answer is the C code's, but for what must be kept from it. */
	readonly #flower: boolean;
	followed = 0;
	/** Where VLAN tags, GRE keys and bytes 8 to 11 of IPv6 source addresses are. */
	readonly #tags: number[] = [];
	#neutral = true;
	/** Where the current ethertype was read. */
	#typeAt = 12;
	readonly #words: (readonly [Uncarried, number])[] = [];
	/** What an ethertype says, by the IEEE's and the kernel's lists of them. */
	readonly #steps = new Map<number, () => void>([
		[ETHERTYPE.ip, () => this.#ipv4()],
		[ETHERTYPE.ipv6, () => this.#ipv6()],
		[0x8100, () => this.#vlan()],
		[0x88a8, () => this.#vlan()],
		[0x8864, () => this.#pppoe()],
		[ETHERTYPE.mpls, () => this.#stepOver(4)],
		[ETHERTYPE.mplsMulticast, () => this.#stepOver(4)],
		[0x0806, () => {}],
		[0x8035, () => {}],
		[0x8902, () => {}],
		[0x88fb, () => this.#tagged(6, 4)],
		[0x892f, () => this.#tagged(6, 4)],
		[0x4305, () => this.#mesh()],
		[0x8906, () => this.#whole(14 + 24)],
		[0x88f7, () => this.#whole(34)],
		[0x88ca, () => this.#tipc()],
	]);
	/** Whether the position is behind an IP header whose payload may have ports. */
	#inTransport = false;
	#stale = false;

	constructor(frame: Uint8Array, keys: FlowKeys, config: DissectorConfig) {
		this.#frame = frame;
		this.keys = keys;
		this.#config = config;
		this.#flower = (keys.flags & FLAG.stopBeforeEncap) !== 0;
	}

	run(): keyof typeof VERDICT {
		if (this.#flower && this.#config.patch.length === 0) return "continue";
		const end = this.#walk();
		if (this.#flower) return end === "refuse" ? "bad" : "continue";
		if (this.#inTransport && !this.keys.isFrag) this.#ports();
		return end === "refuse" ? "bad" : end;
	}

	#walk(): Verdict {
		try {
			this.#network();
			return "good";
		} catch (error) {
			if (error instanceof Cut) return "bad";
			if (error instanceof End) return error.verdict;
			throw error;
		}
	}

	neutral(): Uint8Array | undefined {
		if (!this.#neutral) return undefined;
		const bytes = this.#frame.slice();
		const stale = this.uncarried.has("stale-address");
		for (const [kind, at] of this.#words) if (kind === "gre-key" || stale) bytes.fill(0, at, at + 4);
		return bytes.filter((_, index) => !this.#tags.some((at) => index >= at - 2 && index < at + 2));
	}

	/** The next `length` bytes at `skip` bytes from the position, without moving. */
	#peek(length: number, skip = 0): DataView {
		const start = this.keys.thoff + skip;
		if (start + length > this.#frame.length) throw new Cut();
		return new DataView(this.#frame.buffer, this.#frame.byteOffset + start, length);
	}

	#follow(next: () => void): void {
		this.followed += 1;
		if (this.followed > HEADERS_BEHIND_FIRST) throw new End("good");
		next.call(this);
	}

	#network(): void {
		this.#inTransport = false;
		const step = this.#steps.get(this.keys.nProto);
		if (step === undefined) this.#elsewhere("unknown");
		step();
	}

	/** A packet for the C code, unless it is to be kept from it. */
	#elsewhere(shape: "tipc" | "unknown"): never {
		throw new End(this.#config.patch.includes(shape) ? "refuse" : "continue");
	}

	/** A header with nothing in it for a flow, which must be there as a whole. */
	#whole(length: number): void {
		this.#peek(length);
		this.#stepOver(length);
	}

	#stepOver(length: number): void {
		this.keys.thoff += length;
	}

	/** A header of `length` bytes with the ethertype of what follows at `at`, in front of a network header. */
	#tagged(length: number, at: number): void {
		const type = this.#peek(length).getUint16(at);
		this.#typeAt = this.keys.thoff + at;
		this.#before(length, type);
	}

	#before(length: number, type: number): void {
		this.keys.nProto = type;
		this.keys.thoff += length;
		if (!this.keys.isEncap) this.keys.nhoff = this.keys.thoff;
		this.#follow(this.#network);
	}

	/** IEEE 802.1Q: TCI, then the ethertype of what follows. */
	#vlan(): void {
		this.#peek(4);
		this.uncarried.add("vlan");
		this.#tags.push(this.keys.thoff);
		// Behind GRE options a tag is not behind its own ethertype, and cannot just be cut out.
		if (this.#typeAt !== this.keys.thoff - 2) this.#neutral = false;
		this.#tagged(4, 2);
	}

	/** RFC 2516 sections 4 and 7, RFC 1661 section 2. */
	#pppoe(): void {
		const header = this.#peek(8);
		if (header.getUint8(0) !== 0x11 || header.getUint8(1) !== 0) throw new End("bad");
		const protocol = header.getUint16(6);
		const type = PPP_AS_ETHERTYPE.get(protocol);
		if (type !== undefined) {
			this.#before(8, type);
			return;
		}
		this.keys.thoff += 8;
		const firstEndsIn1 = (header.getUint8(6) & 1) === 1;
		if (firstEndsIn1) throw new End(this.#config.patch.includes("pppoe-pfc") ? "refuse" : "bad");
		if (protocol % 2 === 0) throw new End("bad");
	}

	/** batman-adv, compatibility version 15: a unicast packet is 10 bytes and an Ethernet frame. */
	#mesh(): void {
		const header = this.#peek(10 + ETHERNET_LENGTH);
		if (header.getUint8(0) !== 0x40 || header.getUint8(1) !== 15) throw new End("bad");
		this.keys.nProto = header.getUint16(22);
		this.#typeAt = this.keys.thoff + 22;
		this.keys.thoff += 24;
		this.#encapsulated(this.#network);
	}

	#tipc(): void {
		// Word 0: user 7 is the link protocol; the keepalive bit.
		const left = this.#frame.length - this.keys.thoff;
		if (left >= 16 && (this.#peek(4).getUint32(0) & 0x0e080000) === 0x0e080000) this.uncarried.add("random");
		this.#elsewhere("tipc");
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
		this.keys.ports = new Uint8Array(4);
		if (type === ETHERTYPE.ipv6) this.#words.push(["stale-address", this.keys.thoff + at + 8]);
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
		if (this.#flower) throw new End("continue");
		const { ipProto, nProto } = this.keys;
		this.#inTransport = true;
		if (nProto === ETHERTYPE.ipv6 && this.#extension(ipProto)) return;
		if (ipProto === 4) this.#tunnel(ETHERTYPE.ip);
		else if (ipProto === 41) this.#tunnel(ETHERTYPE.ipv6);
		else if (ipProto === 47) this.#gre();
		else if (ipProto === 137) {
			// RFC 4023: MPLS in IP is no tunnel of a network header that the keys could show.
			this.keys.nProto = ETHERTYPE.mpls;
			this.#follow(this.#network);
		} else if (ipProto === 17 && !this.keys.isFrag) this.#udp();
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
		this.#encapsulated(this.#network);
	}

	#encapsulated(next: () => void): void {
		this.#inTransport = false;
		this.keys.isEncap = true;
		if (this.keys.flags & FLAG.stopAtEncap) throw new End("good");
		this.#inTransport = next === this.#transport;
		this.#follow(next);
	}

	/** RFC 2784, RFC 2890; version 1 with PPP and a key is PPTP (RFC 2637). Source routes and later versions are opaque. */
	#gre(): void {
		const header = this.#peek(4);
		const bits = header.getUint16(0);
		const has = (bit: number) => (bits & bit) !== 0;
		const version = bits & 7;
		if (has(0x4000) || version > 1) return;
		this.keys.nProto = header.getUint16(2);
		this.#typeAt = this.keys.thoff + 2;
		if (version === 1 && (this.keys.nProto !== ETHERTYPE.ppp || !has(0x2000))) return;
		let length = has(0x8000) ? 8 : 4;
		if (has(0x2000)) {
			this.#peek(4, length);
			this.uncarried.add("gre-key");
			this.#words.push(["gre-key", this.keys.thoff + length]);
			length += 4;
		}
		if (has(0x1000)) length += 4;
		if (version === 1) {
			if (has(0x0080)) length += 4;
			const protocol = this.#peek(4, length).getUint16(2);
			if (protocol === 0x0021 || protocol === 0x0057) this.keys.nProto = PPP_AS_ETHERTYPE.get(protocol)!;
			length += 4;
		} else length += this.#bridged(length);
		this.keys.thoff += length;
		this.#encapsulated(this.#network);
	}

	/** Behind `length` bytes: when the type so far is TEB, an Ethernet header, whose type it then is. Its length. */
	#bridged(length: number): number {
		if (this.keys.nProto !== ETHERTYPE.teb) return 0;
		this.keys.nProto = this.#peek(ETHERNET_LENGTH, length).getUint16(12);
		this.#typeAt = this.keys.thoff + length + 12;
		return ETHERNET_LENGTH;
	}

	/** The tunnels that the operator put on UDP ports. */
	#udp(): void {
		const { vxlan_ports, geneve_ports, gue_ports, mpls_udp_ports } = this.#config;
		if (this.keys.thoff + 8 > this.#frame.length) return;
		const port = this.#peek(8).getUint16(2);
		const outer = new Uint8Array(4);
		outer.set(this.#frame.subarray(this.keys.thoff, this.keys.thoff + 4));
		if ([vxlan_ports, geneve_ports, gue_ports, mpls_udp_ports].some((ports) => ports.includes(port)))
			this.keys.ports = outer;
		if (vxlan_ports.includes(port)) this.#vxlan();
		else if (geneve_ports.includes(port)) this.#geneve();
		else if (gue_ports.includes(port)) this.#gue();
		else if (mpls_udp_ports.includes(port)) {
			// RFC 7510: as RFC 4023.
			this.keys.nProto = ETHERTYPE.mpls;
			this.keys.thoff += 8;
			this.#follow(this.#network);
		}
	}

	/** RFC 7348 section 5: 8 bytes, of which the I flag must be set, then a frame. */
	#vxlan(): void {
		if ((this.#peek(8, 8).getUint8(0) & 0x08) === 0) return;
		this.keys.nProto = this.#peek(ETHERNET_LENGTH, 16).getUint16(12);
		this.keys.thoff += 16 + ETHERNET_LENGTH;
		this.#encapsulated(this.#network);
	}

	/** RFC 8926 section 3.4: version 0, no control message. */
	#geneve(): void {
		const header = this.#peek(8, 8);
		const first = header.getUint8(0);
		if (first >= 0x40 || header.getUint8(1) >= 0x80) return;
		this.keys.nProto = header.getUint16(2);
		const length = 16 + first * 4;
		this.keys.thoff += length + this.#bridged(length);
		this.#encapsulated(this.#network);
	}

	/** draft-ietf-intarea-gue-09 sections 3 and 4. */
	#gue(): void {
		const header = this.#peek(4, 8);
		const first = header.getUint8(0);
		if (first < 0x20) {
			this.keys.ipProto = header.getUint8(1);
			this.keys.thoff += 12 + first * 4;
			this.#encapsulated(this.#transport);
		} else if (first >> 4 === 4 || first >> 4 === 6) {
			this.keys.nProto = first >> 4 === 4 ? ETHERTYPE.ip : ETHERTYPE.ipv6;
			this.keys.thoff += 8;
			this.#encapsulated(this.#network);
		}
	}

	#ports(): void {
		const at = PORTS_AT.get(this.keys.ipProto);
		if (at === undefined) return;
		const start = this.keys.thoff + at;
		if (start + 4 <= this.#frame.length) this.keys.ports = this.#frame.slice(start, start + 4);
	}
}
