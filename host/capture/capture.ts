// What a capture file holds, whichever format it came in, and the limits on reading one. Refuses to know about files: bytes in, packets out.
import { CaptureError } from "./errors.ts";

/** One packet as it was captured. */
export interface CapturedPacket {
	/** Nanoseconds since 1970; 0 where the format records no time (pcapng simple packet blocks). */
	readonly timestampNs: bigint;
	/** The captured bytes: a view into the file's bytes, not a copy. */
	readonly bytes: Uint8Array;
	/** Length on the wire, in bytes; more than `bytes.length` where the capture cut the packet off. */
	readonly originalLength: number;
}

/** A capture with one link type for all its packets. */
export interface Capture {
	/** LINKTYPE_ number of https://www.tcpdump.org/linktypes.html; 1 is Ethernet. */
	readonly linkType: number;
	readonly packets: readonly CapturedPacket[];
}

/** LINKTYPE_ETHERNET. */
export const ETHERNET = 1;

/** What a capture may hold; more is CAPTURE_TOO_LARGE. A packet's limit is libpcap's MAXIMUM_SNAPLEN. */
export const CAPTURE_LIMITS = {
	fileBytes: 256 * 1024 * 1024,
	packets: 4 * 1024 * 1024,
	packetBytes: 262_144,
} as const;

/** Hands back the packets of an Ethernet capture; throws CAPTURE_LINKTYPE for any other link type. */
export function ethernetPackets(capture: Capture): readonly CapturedPacket[] {
	if (capture.linkType !== ETHERNET) {
		throw new CaptureError(
			"CAPTURE_LINKTYPE",
			`the capture has link type ${capture.linkType}, not Ethernet (1)`,
			{
				hint: "capture on an Ethernet or veth device",
				details: { linkType: capture.linkType },
			},
		);
	}
	return capture.packets;
}

/** Reads numbers and bytes of one byte order at a moving offset; past the end is CAPTURE_TRUNCATED. */
export class CaptureCursor {
	readonly littleEndian: boolean;
	private readonly bytes: Uint8Array;
	private readonly view: DataView;
	private at: number;
	private readonly end: number;

	constructor(bytes: Uint8Array, littleEndian: boolean, offset = 0, end = bytes.length) {
		this.bytes = bytes;
		this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		this.littleEndian = littleEndian;
		this.at = offset;
		this.end = Math.min(end, bytes.length);
	}

	get offset(): number {
		return this.at;
	}

	get remaining(): number {
		return this.end - this.at;
	}

	u8(): number {
		return this.view.getUint8(this.advance(1));
	}

	u16(): number {
		return this.view.getUint16(this.advance(2), this.littleEndian);
	}

	u32(): number {
		return this.view.getUint32(this.advance(4), this.littleEndian);
	}

	i64(): bigint {
		return this.view.getBigInt64(this.advance(8), this.littleEndian);
	}

	/** A view of the next `length` bytes. */
	take(length: number): Uint8Array {
		const from = this.advance(length);
		return this.bytes.subarray(from, from + length);
	}

	private advance(length: number): number {
		if (length > this.remaining) {
			throw new CaptureError(
				"CAPTURE_TRUNCATED",
				`the capture ends at byte ${this.end}, inside a header or packet`,
				{
					hint: "capture again, and let the capture end before reading it (tcpdump -U, then an interrupt)",
					details: { offset: this.at, wanted: length, available: this.remaining },
				},
			);
		}
		const from = this.at;
		this.at += length;
		return from;
	}
}

/** Collects packets within CAPTURE_LIMITS; a packet over the limit, or one too many, is CAPTURE_TOO_LARGE. */
export class PacketList {
	readonly packets: CapturedPacket[] = [];

	/** Throws where a packet of this captured length may not be added: called before the bytes are taken. */
	admit(capturedLength: number): void {
		if (capturedLength > CAPTURE_LIMITS.packetBytes)
			tooLarge("a packet", capturedLength, CAPTURE_LIMITS.packetBytes);
		if (this.packets.length >= CAPTURE_LIMITS.packets) {
			tooLarge("the packet count", this.packets.length + 1, CAPTURE_LIMITS.packets);
		}
	}
}

export function tooLarge(what: string, value: number, limit: number): never {
	throw new CaptureError("CAPTURE_TOO_LARGE", `${what} is ${value}, over the limit of ${limit}`, {
		hint: "split the capture (editcap -c) or capture less of each packet (tcpdump -s)",
		details: { value, limit },
	});
}

export function invalid(why: string, details: Readonly<Record<string, unknown>> = {}): never {
	throw new CaptureError("CAPTURE_INVALID", why, { hint: "give a file that tcpdump -w wrote", details });
}
