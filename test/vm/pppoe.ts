// CVE-2026-46306 as the VM sees it: PPPoE frames with a compressed protocol field, and their lawful twins. Refuses to judge a kernel by its version: the flow hashes say what its dissector did.
import { FLAG } from "../dissector/keys.ts";
import { pppoe } from "../dissector/link-layers.ts";
import { eth, ipv4, ipv6, packet, tcp } from "../dissector/packet.ts";

/** As many flows of IPv4 as of IPv6; flow n differs from the next in one address and one port. */
export const FLOWS = 32;

const compressed = frames(true);
const lawful = frames(false);

/** Packets as `kfn-load replay` and native/flow_hash.c read them. */
export interface PppoeInput {
	/** All compressed frames, then their twins in the same order. */
	readonly flows: Buffer;
	/** A compressed frame, then its twin, each without flags and as flower asks. */
	readonly questions: Buffer;
}

export const PPPOE_INPUT: PppoeInput = {
	flows: encode([...compressed, ...lawful].map((data) => ({ data, flags: 0 }))),
	questions: encode(
		[compressed[0]!, lawful[0]!].flatMap((data) => [
			{ data, flags: 0 },
			{ data, flags: FLAG.stopBeforeEncap },
		]),
	),
};

/** What a dissector made of the flows. */
export interface PppoeHashes {
	readonly compressed: readonly number[];
	readonly lawful: readonly number[];
}

/** The answer of native/flow_hash.c to `flows`; throws where it is not one hash for each frame. */
export function pppoeHashes(hashes: readonly number[]): PppoeHashes {
	if (hashes.length !== 2 * FLOWS) throw new Error(`${hashes.length} hashes for ${2 * FLOWS} frames`);
	return { compressed: hashes.slice(0, FLOWS), lawful: hashes.slice(FLOWS) };
}

/** The return values in the answer of `kfn-load replay` to `questions`; its last line is the summary. */
export function replayed(text: string): readonly number[] {
	const lines = text.trimEnd().split("\n");
	return lines.slice(0, -1).map((line) => JSON.parse(line).retval);
}

function frames(isCompressed: boolean): readonly Uint8Array[] {
	const session = (protocol: number) => pppoe({ protocol, compressed: isCompressed });
	return Array.from({ length: FLOWS }, (_, flow) =>
		flow % 2 === 0
			? packet(eth(), session(0x21), ipv4({ src: `192.0.2.${flow}` }), tcp(1024 + flow))
			: packet(eth(), session(0x57), ipv6({ src: `2001:db8::${flow}` }), tcp(1024 + flow)),
	);
}

function encode(packets: readonly { data: Uint8Array; flags: number }[]): Buffer {
	return Buffer.concat(
		packets.flatMap(({ data, flags }) => {
			const head = Buffer.alloc(8);
			head.writeUInt32LE(data.length, 0);
			head.writeUInt32LE(flags, 4);
			return [head, data];
		}),
	);
}
