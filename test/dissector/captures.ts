// The Ethernet captures that lie beside the repository, packet by packet. Refuses everything but classic pcap of link type 1.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface CapturedPacket {
	readonly file: string;
	/** From 1, as tcpdump counts. */
	readonly number: number;
	readonly data: Uint8Array;
}

const folder = fileURLToPath(new URL("../../../shared/captures", import.meta.url));
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const FILE_HEADER = 24;
const PACKET_HEADER = 16;
const LINKTYPE_ETHERNET = 1;

/** The reason why captures cannot be read, or undefined. */
export function capturesMissing(): string | undefined {
	return existsSync(folder) ? undefined : `the folder ../shared/captures is not there: ${folder}`;
}

/** Every packet of every capture, in the order of file names; a file's damaged end is left out. */
export function readCaptures(): readonly CapturedPacket[] {
	return readdirSync(folder)
		.filter((name) => name.endsWith(".pcap"))
		.toSorted()
		.flatMap((name) => readCapture(name));
}

function readCapture(file: string): CapturedPacket[] {
	const bytes = readFileSync(join(folder, file));
	const little = [MAGIC_MICROSECONDS, MAGIC_NANOSECONDS].includes(bytes.readUInt32LE(0));
	const u32 = (at: number) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
	if (![MAGIC_MICROSECONDS, MAGIC_NANOSECONDS].includes(u32(0))) throw new Error(`${file} is no pcap file`);
	if ((u32(20) & 0xffff) !== LINKTYPE_ETHERNET) throw new Error(`${file} is not of Ethernet`);
	const packets: CapturedPacket[] = [];
	for (let at = FILE_HEADER; at + PACKET_HEADER <= bytes.length; ) {
		const start = at + PACKET_HEADER;
		const end = start + u32(at + 8);
		if (end > bytes.length) break;
		packets.push({ file, number: packets.length + 1, data: bytes.subarray(start, end) });
		at = end;
	}
	return packets;
}
