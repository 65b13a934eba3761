// The batch layout (packages/gro/README.md) from frames, and the frames that an answer stands for. Decides nothing about merging.
import { sum16 } from "./packet.ts";

const HEADER = 32;
const PACKET = 288;
const META = 32;
const HEAD = PACKET - META;
const MAGIC = 0x314f5247;

export const STATE = { merged: 2, normal: 3, complete: 4 } as const;

/** A frame as it is delivered, in the kernel's words. */
export interface Delivered {
	readonly bytes: Buffer;
	/** skb_shinfo()->gso_type of Linux 6.18. */
	readonly gsoType: number;
	readonly gsoSize: number;
	readonly checksumStart: number;
	/** The tag that a device took off: protocol << 16 | TCI, or 0. */
	readonly vlan: number;
}

/** What a device found out about a frame besides its bytes. */
export interface Found {
	readonly hash?: number;
	readonly vlan?: number;
}

/** The frames of one poll. */
export interface Sequence {
	readonly frames: readonly Buffer[];
	/** Of each frame; nothing where there is none. */
	readonly found?: readonly Found[];
	/** gro_max_size and gro_ipv4_max_size of the device, 65,536 unless given. */
	readonly maxSize?: number;
	readonly ipv4MaxSize?: number;
}

/** As the kernel has the size limits from its start: GRO_LEGACY_MAX_SIZE. */
export const MAX_SIZE = 65536;

/** include/linux/skbuff.h of Linux 6.18: SKB_GSO_TCPV4, SKB_GSO_TCPV6, SKB_GSO_TCP_FIXEDID, SKB_GSO_TCP_ACCECN, by the bits of the layout. */
const GSO_TYPES = [1, 1 << 4, 1 << 30, 1 << 19] as const;

export function encode({ frames, found, maxSize, ipv4MaxSize }: Sequence): Buffer {
	const batch = Buffer.alloc(HEADER + frames.length * PACKET);
	batch.writeUInt32LE(MAGIC, 0);
	batch.writeUInt32LE(frames.length, 4);
	batch.writeUInt32LE(maxSize ?? MAX_SIZE, 8);
	batch.writeUInt32LE(ipv4MaxSize ?? MAX_SIZE, 12);
	frames.forEach((frame, index) => {
		const at = HEADER + index * PACKET;
		batch.writeUInt32LE(frame.length, at);
		batch.writeUInt32LE(found?.[index]?.hash ?? 0, at + 4);
		batch.writeUInt32LE(found?.[index]?.vlan ?? 0, at + 8);
		batch[at + 12] = checksumIsGood(frame) ? 1 : 0;
		batch.set(frame.subarray(0, HEAD), at + META);
	});
	return batch;
}

/** Whether the TCP checksum holds over what is behind the IP headers; the caller of the function has it from its device or its own sum. */
export function checksumIsGood(frame: Buffer): boolean {
	const type = frame.length >= 34 ? frame.readUInt16BE(12) : 0;
	if (type === 0x0800) {
		const tcp = frame.subarray(34);
		return sum16(tcp, sum16(frame.subarray(26, 34)) + 6 + tcp.length) === 0xffff;
	}
	if (type !== 0x86dd || frame.length < 54) return false;
	let offset = 54;
	let next = frame[20]!;
	while ((next === 0 || next === 43 || next === 60) && offset + 8 <= frame.length) {
		next = frame[offset]!;
		offset += (frame[offset + 1]! + 1) * 8;
	}
	const tcp = frame.subarray(offset);
	return sum16(tcp, sum16(frame.subarray(22, 54)) + 6 + tcp.length) === 0xffff;
}

interface Answer {
	readonly state: number;
	readonly into: number;
	readonly order: number;
	readonly count: number;
	readonly gso: number;
	readonly gsoSize: number;
	readonly payload: number;
	readonly transport: number;
	readonly vlan: number;
	readonly head: Buffer;
}

export function answers(batch: Buffer): readonly Answer[] {
	return Array.from({ length: batch.readUInt32LE(4) }, (_, index) => {
		const packet = batch.subarray(HEADER + index * PACKET, HEADER + (index + 1) * PACKET);
		return {
			state: packet[13]!,
			into: packet[14]!,
			order: packet[15]!,
			count: packet[16]!,
			gso: packet[17]!,
			gsoSize: packet.readUInt16LE(18),
			payload: packet.readUInt16LE(20),
			transport: packet[22]!,
			vlan: packet.readUInt32LE(8),
			head: packet.subarray(META),
		};
	});
}

/** What the function delivers: headers of its answer, payloads of the frames that it names, in its order. */
export function delivered(frames: readonly Buffer[], batch: Buffer): readonly Delivered[] {
	const all = answers(batch);
	const out: Delivered[] = [];
	all.forEach((answer, index) => {
		if (answer.state === STATE.merged) return;
		const parts = all.flatMap(({ state, into, payload }, at) =>
			state === STATE.merged && into === index ? [frames[at]!.subarray(payload)] : [],
		);
		const merged = answer.count > 1;
		const header = merged ? answer.payload : Math.min(HEAD, frames[index]!.length);
		out[answer.order] = {
			bytes: Buffer.concat([answer.head.subarray(0, header), frames[index]!.subarray(header), ...parts]),
			gsoType: GSO_TYPES.reduce((all, type, bit) => all | (answer.gso & (1 << bit) ? type : 0), 0),
			gsoSize: answer.gsoSize,
			checksumStart: merged ? answer.transport : 0,
			vlan: answer.vlan,
		};
	});
	return out;
}
