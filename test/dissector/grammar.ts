// Random stacks of headers, as the standards let them follow each other, and as they do not. Refuses randomness that a
// second run cannot repeat.
import { batadv, cfm, fcoe, hsr, pppoe, ptp, tipc } from "./link-layers.ts";
import {
	arp,
	data,
	ETHERTYPE,
	eth,
	extension,
	fragment6,
	gre,
	ipv4,
	ipv6,
	type Layer,
	mpls,
	packet,
	TYPE_S_TAG,
	tcp,
	transport,
	udp,
	vlan,
} from "./packet.ts";
import { direct, geneve, gue, pptp, vxlan } from "./tunnel-layers.ts";

type Below = (limit: number) => number;

/** Layers that a stack has at most: more than the dissector looks at. */
const DEEPEST = 24;
const FRAGMENTS = [0x2000, 0x2001, 0x00b9, 0x4000, 0x8000] as const;

/** One packet: an Ethernet frame whose headers chain by the rules, now and then past the depth that is looked at. */
export function randomPacket(below: Below): Uint8Array {
	const layers = new Stack(below).link(1);
	const bytes = packet(eth(), ...layers);
	return bytes.length > 2000 ? bytes.slice(0, 2000) : bytes;
}

class Stack {
	readonly #below: Below;
	readonly #depth: number;
	constructor(below: Below) {
		this.#below = below;
		// Most packets are shallow; one in eight may be as deep as anything.
		this.#depth = below(8) === 0 ? DEEPEST : 6;
	}

	#one<T>(choices: readonly T[]): T {
		return choices[this.#below(choices.length)]!;
	}

	#sometimes(in_: number): boolean {
		return this.#below(in_) === 0;
	}

	/** What an ethertype may name. */
	link(depth: number): readonly Layer[] {
		if (depth >= this.#depth || !this.#sometimes(2)) return this.#network(depth);
		const kinds: readonly (() => readonly Layer[])[] = [
			() => [vlan(this.#below(4096)), ...this.link(depth + 1)],
			() => [vlan(this.#below(4096), { tpid: TYPE_S_TAG }), ...this.link(depth + 1)],
			() => [hsr({ type: this.#one([0x892f, 0x88fb]) }), ...this.link(depth + 1)],
			() => [this.#session(), ...this.#network(depth + 1)],
			() => [
				batadv({ type: this.#one([0x40, 0x40, 0x41]), version: this.#one([15, 15, 14]) }),
				...this.link(depth + 1),
			],
			() => [mpls(this.#below(0xfffff), { type: this.#one([0x8847, 0x8848]) }), ...this.#network(depth + 1)],
			() => [this.#one([arp(), arp({ reverse: true }), tipc(), fcoe(), ptp(), cfm()])],
			() => [{ ethertype: this.#below(0x10000), encode: () => new Uint8Array(40).fill(this.#below(256)) }],
		];
		return this.#one(kinds)();
	}

	#session(): Layer {
		if (this.#sometimes(4)) return pppoe({ protocol: this.#one([0x21, 0x57, 0xc0, 0x21]), compressed: true });
		return pppoe(this.#sometimes(4) ? { protocol: this.#below(0x10000) } : {});
	}

	#network(depth: number): readonly Layer[] {
		const tail = this.#transport(depth + 1);
		if (this.#sometimes(2)) {
			const options = this.#sometimes(4) ? { options: new Uint8Array(4 * this.#below(11)).fill(1) } : {};
			const fragment = this.#sometimes(6) ? { fragment: this.#one(FRAGMENTS) } : {};
			const src = `10.${this.#below(256)}.0.1`;
			return [ipv4({ src, ...options, ...fragment }), ...tail];
		}
		const label = this.#sometimes(4) ? { label: this.#below(0x100000) } : {};
		const src = `2001:db8::${this.#below(0x10000).toString(16)}:0:1`;
		return [ipv6({ src, ...label }), ...this.#extensions(depth), ...tail];
	}

	#extensions(depth: number): readonly Layer[] {
		if (depth >= this.#depth || !this.#sometimes(3)) return [];
		const one = this.#sometimes(3)
			? fragment6(this.#below(3), this.#sometimes(2))
			: extension(this.#one([0, 43, 60] as const), 1 + 2 * this.#below(4));
		return [one, ...this.#extensions(depth + 1)];
	}

	/** What an IP protocol number may name. */
	#transport(depth: number): readonly Layer[] {
		if (depth >= this.#depth || !this.#sometimes(3)) return this.#end();
		const frame = () => [eth(), ...this.link(depth + 1)];
		const inner = () => this.#network(depth + 1);
		const kinds: readonly (() => readonly Layer[])[] = [
			inner,
			() => [this.#gre(), ...this.link(depth + 1)],
			() => [{ ...this.#gre(), ...gre({ type: ETHERTYPE.teb }) }, ...frame()],
			() => [this.#pptp(), ...inner()],
			() => [mpls(this.#below(0xfffff)), ...inner()],
			() => [vxlan(this.#one([4789, 8472]), { flags: this.#one([8, 8, 0]) }), ...frame()],
			() => [
				geneve(6081, { words: this.#below(8), control: this.#sometimes(5) }),
				...this.#one([frame, inner])(),
			],
			() => [gue(6080, { words: this.#below(8), variant: this.#one([0, 0, 0, 2, 3]) }), ...inner()],
			() => [direct(6080), ...inner()],
			() => [direct(6635), mpls(this.#below(0xfffff)), ...inner()],
		];
		return this.#one(kinds)();
	}

	#gre(): Layer {
		return gre({
			csum: this.#sometimes(3),
			routing: this.#sometimes(12),
			...(this.#sometimes(3) ? { key: this.#below(2) * this.#below(0xffff) } : {}),
			...(this.#sometimes(3) ? { seq: 1 } : {}),
			...(this.#sometimes(12) ? { version: this.#below(8) } : {}),
		});
	}

	#pptp(): Layer {
		const [key, seq, ack, csum] = [
			!this.#sometimes(6),
			this.#sometimes(2),
			this.#sometimes(2),
			this.#sometimes(6),
		];
		return pptp({ key, seq, ack, csum, ...(this.#sometimes(6) ? { protocol: 0xc021 } : {}) });
	}

	#end(): readonly Layer[] {
		if (this.#sometimes(2)) return [this.#one([tcp(), udp(), udp(7, 9, { lite: true })]), data("kfn")];
		const protocol = this.#sometimes(3) ? this.#below(256) : this.#one([1, 2, 33, 50, 51, 58, 59, 115, 132]);
		return [
			transport(
				protocol,
				Uint8Array.from({ length: 12 }, () => this.#below(256)),
			),
		];
	}
}
