// Reads captures (classic pcap in µs and ns, either byte order, and pcapng) and writes classic pcap. Refuses what is truncated, oversized or of mixed link types: a value or a CaptureError, nothing else.
import {
	CAPTURE_LIMITS,
	type Capture,
	CaptureCursor,
	type CapturedPacket,
	invalid,
	PacketList,
	tooLarge,
} from "./capture.ts";
import { isPcapng, parsePcapng } from "./pcapng.ts";

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;

/**
 * Parses a capture file: classic pcap (draft-ietf-opsawg-pcap) or pcapng.
 *
 * Packet bytes are views into `bytes`. Throws CaptureError: CAPTURE_INVALID, CAPTURE_TRUNCATED (the last packet
 * included), CAPTURE_LINKTYPE (pcapng with several), CAPTURE_TOO_LARGE (see CAPTURE_LIMITS).
 */
export function parseCapture(bytes: Uint8Array): Capture {
	if (bytes.length > CAPTURE_LIMITS.fileBytes) tooLarge("the file", bytes.length, CAPTURE_LIMITS.fileBytes);
	return isPcapng(bytes) ? parsePcapng(bytes) : parsePcap(bytes);
}

function parsePcap(bytes: Uint8Array): Capture {
	const { cursor, unitNs } = openPcap(bytes);
	const [major, minor] = [cursor.u16(), cursor.u16()];
	if (major !== 2 || minor !== 4) invalid(`pcap version ${major}.${minor} is not known`, { major, minor });
	cursor.take(12); // time zone and accuracy (always 0 in practice) and snap length (each record has its own)
	const linkType = cursor.u32() & 0xffff; // the upper half says whether frames end with an FCS
	const list = new PacketList();
	while (cursor.remaining > 0) list.packets.push(parseRecord(cursor, unitNs, list));
	return { linkType, packets: list.packets };
}

function openPcap(bytes: Uint8Array): { cursor: CaptureCursor; unitNs: bigint } {
	for (const littleEndian of [true, false]) {
		const cursor = new CaptureCursor(bytes, littleEndian);
		const magic = cursor.u32();
		if (magic === MAGIC_MICROSECONDS) return { cursor, unitNs: 1_000n };
		if (magic === MAGIC_NANOSECONDS) return { cursor, unitNs: 1n };
	}
	return invalid("the file starts with neither the pcap nor the pcapng magic number");
}

function parseRecord(cursor: CaptureCursor, unitNs: bigint, list: PacketList): CapturedPacket {
	const timestampNs = BigInt(cursor.u32()) * 1_000_000_000n + BigInt(cursor.u32()) * unitNs;
	const captured = cursor.u32();
	const originalLength = cursor.u32();
	list.admit(captured);
	return { timestampNs, bytes: cursor.take(captured), originalLength };
}

/**
 * Writes a classic pcap file with nanosecond times, little endian; `parseCapture` reads back the same capture.
 *
 * Throws CAPTURE_INVALID for a time outside 1970 to 2106, which the format's 32 bits cannot hold.
 */
export function writePcap(capture: Capture): Uint8Array {
	const total = capture.packets.reduce((sum, packet) => sum + 16 + packet.bytes.length, 24);
	const bytes = new Uint8Array(total);
	const view = new DataView(bytes.buffer);
	const header = [MAGIC_NANOSECONDS, 0x0004_0002, 0, 0, CAPTURE_LIMITS.packetBytes, capture.linkType];
	for (const [index, word] of header.entries()) view.setUint32(index * 4, word, true);
	let at = 24;
	for (const packet of capture.packets) {
		const seconds = packet.timestampNs / 1_000_000_000n;
		if (packet.timestampNs < 0n || seconds > 0xffff_ffffn) invalid(`pcap cannot hold the time ${seconds} s`);
		view.setUint32(at, Number(seconds), true);
		view.setUint32(at + 4, Number(packet.timestampNs % 1_000_000_000n), true);
		view.setUint32(at + 8, packet.bytes.length, true);
		view.setUint32(at + 12, packet.originalLength, true);
		bytes.set(packet.bytes, at + 16);
		at += 16 + packet.bytes.length;
	}
	return bytes;
}
