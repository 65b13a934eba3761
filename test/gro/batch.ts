// The batch layout (packages/gro/README.md) from frames, and the frames that an answer stands for. Decides nothing about merging.
import { sum16 } from "./packet.ts";

const HEADER = 32;
const PACKET = 288;
const META = 32;
const HEAD = PACKET - META;
const MAGIC = 0x314f5247;

export const STATE = { merged: 2, normal: 3, complete: 4 } as const;

/** A frame as it is delivered, in the words of the capture's virtio-net header. */
export interface Delivered {
	readonly bytes: Buffer;
	readonly gsoType: number;
	readonly gsoSize: number;
	readonly checksumStart: number;
}

export interface Limits {
	readonly maxSize?: number;
	readonly ipv4MaxSize?: number;
}

export function encode(frames: readonly Buffer[], limits: Limits = {}): Buffer {
	const batch = Buffer.alloc(HEADER + frames.length * PACKET);
	batch.writeUInt32LE(MAGIC, 0);
	batch.writeUInt32LE(frames.length, 4);
	batch.writeUInt32LE(limits.maxSize ?? 65536, 8);
	batch.writeUInt32LE(limits.ipv4MaxSize ?? 65536, 12);
	frames.forEach((frame, index) => {
		const at = HEADER + index * PACKET;
		batch.writeUInt32LE(frame.length, at);
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
			gsoType: merged ? (answer.gso & 2 ? 4 : 1) : 0,
			gsoSize: answer.gsoSize,
			checksumStart: merged ? answer.transport : 0,
		};
	});
	return out;
}
