import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CAPTURE_LIMITS, type Capture, ethernetPackets } from "./capture.ts";
import { CAPTURE_ERRORS, CaptureError, type CaptureErrorCode } from "./errors.ts";
import { parseCapture, writePcap } from "./pcap.ts";

const captures = join(import.meta.dirname, "../../../shared/captures");

/** Bytes of 32-bit words in one byte order; Uint8Array parts go in as they are. */
function words(littleEndian: boolean, ...parts: (number | Uint8Array)[]): Uint8Array {
	return Buffer.concat(
		parts.map((part) => {
			if (typeof part !== "number") return part;
			const word = Buffer.alloc(4);
			if (littleEndian) word.writeUInt32LE(part);
			else word.writeUInt32BE(part);
			return word;
		}),
	);
}

const frame = Uint8Array.of(1, 2, 3, 4, 5, 6, 7);

function classic(littleEndian: boolean, magic: number, linkType = 1): Uint8Array {
	const version = littleEndian ? 0x0004_0002 : 0x0002_0004;
	return words(littleEndian, magic, version, 0, 0, 65535, linkType, 1_700_000_000, 123_456, 7, 60, frame);
}

/** A pcapng block with its two lengths, body padded to 32 bits. */
function block(littleEndian: boolean, type: number, body: Uint8Array): Uint8Array {
	const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
	return words(littleEndian, type, padded.length + 12, padded, padded.length + 12);
}

function halves(littleEndian: boolean, first: number, second: number): number {
	return littleEndian ? (second << 16) | first : (first << 16) | second;
}

function section(littleEndian: boolean): Uint8Array {
	const version = halves(littleEndian, 1, 0);
	const length = [0xffff_ffff, 0xffff_ffff];
	return block(littleEndian, 0x0a0d0d0a, words(littleEndian, 0x1a2b3c4d, version, ...length));
}

function iface(
	littleEndian: boolean,
	linkType: number,
	snap: number,
	options: Uint8Array = new Uint8Array(),
): Uint8Array {
	return block(littleEndian, 1, words(littleEndian, halves(littleEndian, linkType, 0), snap, options));
}

function enhanced(littleEndian: boolean, index: number, units: bigint): Uint8Array {
	const [high, low] = [Number(units >> 32n), Number(units & 0xffff_ffffn)];
	return block(littleEndian, 6, words(littleEndian, index, high, low, frame.length, 60, frame));
}

function codeOf(action: () => unknown): CaptureErrorCode {
	try {
		action();
	} catch (error) {
		if (error instanceof CaptureError) return error.code;
		throw error;
	}
	throw new Error("nothing was refused");
}

describe("classic pcap", () => {
	it.each([
		["µs, little endian", true, 0xa1b2c3d4, 1_700_000_000_123_456_000n],
		["µs, big endian", false, 0xa1b2c3d4, 1_700_000_000_123_456_000n],
		["ns, little endian", true, 0xa1b23c4d, 1_700_000_000_000_123_456n],
		["ns, big endian", false, 0xa1b23c4d, 1_700_000_000_000_123_456n],
	])("is read in %s", (_name, littleEndian, magic, timestampNs) => {
		const capture = parseCapture(classic(littleEndian, magic));
		expect(capture.linkType).toBe(1);
		expect(capture.packets).toHaveLength(1);
		expect(capture.packets[0]).toMatchObject({ timestampNs, originalLength: 60 });
		expect([...capture.packets[0]!.bytes]).toEqual([...frame]);
	});

	it("ignores the FCS bits above the link type", () => {
		expect(parseCapture(classic(true, 0xa1b2c3d4, 0xf400_0001)).linkType).toBe(1);
	});

	it("is read back as written", () => {
		const capture: Capture = {
			linkType: 1,
			packets: [
				{ timestampNs: 1_700_000_000_987_654_321n, bytes: frame, originalLength: 7 },
				{ timestampNs: 0n, bytes: new Uint8Array(), originalLength: 1500 },
			],
		};
		const read = parseCapture(writePcap(capture));
		expect(read.linkType).toBe(1);
		for (const [index, packet] of capture.packets.entries()) {
			expect(read.packets[index]).toMatchObject({
				timestampNs: packet.timestampNs,
				originalLength: packet.originalLength,
			});
			expect(Buffer.from(read.packets[index]!.bytes)).toEqual(Buffer.from(packet.bytes));
		}
	});

	it("refuses to write a time that the format cannot hold", () => {
		const packet = { timestampNs: 2n ** 63n, bytes: frame, originalLength: 7 };
		expect(codeOf(() => writePcap({ linkType: 1, packets: [packet] }))).toBe("CAPTURE_INVALID");
	});

	it("refuses every cut inside a header or packet", () => {
		const whole = classic(true, 0xa1b2c3d4);
		for (let length = 0; length < whole.length; length++) {
			if (length === 24) continue; // a capture of no packets
			expect(codeOf(() => parseCapture(whole.subarray(0, length)))).toBe("CAPTURE_TRUNCATED");
		}
		expect(parseCapture(whole.subarray(0, 24)).packets).toEqual([]);
	});

	it("refuses other versions and other files", () => {
		const old = classic(true, 0xa1b2c3d4);
		old[6] = 3;
		expect(codeOf(() => parseCapture(old))).toBe("CAPTURE_INVALID");
		expect(codeOf(() => parseCapture(Buffer.from("#!/bin/sh\n")))).toBe("CAPTURE_INVALID");
	});

	it("endless length: refuses a packet of more than libpcap's longest before taking it", () => {
		const huge = words(
			true,
			0xa1b2c3d4,
			0x0004_0002,
			0,
			0,
			65535,
			1,
			0,
			0,
			CAPTURE_LIMITS.packetBytes + 1,
			60,
		);
		expect(codeOf(() => parseCapture(huge))).toBe("CAPTURE_TOO_LARGE");
	});
});

describe.each([true, false])("pcapng, little endian %s", (le) => {
	it("is read with its own time resolution and offset", () => {
		const tsresol = words(le, halves(le, 9, 1), Uint8Array.of(9, 0, 0, 0));
		const seconds = Buffer.alloc(8);
		if (le) seconds.writeBigInt64LE(100n);
		else seconds.writeBigInt64BE(100n);
		const options = words(le, tsresol, words(le, halves(le, 14, 8), seconds), words(le, 0));
		const file = Buffer.concat([
			section(le),
			iface(le, 1, 0, options),
			block(le, 0x0bad, Uint8Array.of(1, 2, 3)), // an unknown block is passed over
			enhanced(le, 0, 5_000_000_001n),
		]);
		const { linkType, packets } = parseCapture(file);
		expect(linkType).toBe(1);
		expect(packets).toHaveLength(1);
		expect(packets[0]).toMatchObject({ timestampNs: 105_000_000_001n, originalLength: 60 });
		expect([...packets[0]!.bytes]).toEqual([...frame]);
	});

	it("has microseconds by default, and powers of two where it says so", () => {
		const binary = words(le, halves(le, 9, 1), Uint8Array.of(0x80 | 10, 0, 0, 0));
		const file = [
			section(le),
			iface(le, 1, 0),
			iface(le, 1, 0, binary),
			enhanced(le, 0, 7n),
			enhanced(le, 1, 512n),
		];
		const { packets } = parseCapture(Buffer.concat(file));
		expect(packets.map((packet) => packet.timestampNs)).toEqual([7_000n, 500_000_000n]);
	});

	it("reads simple packets up to the snap length", () => {
		const simple = block(le, 3, words(le, 60, frame.subarray(0, 4)));
		const { packets } = parseCapture(Buffer.concat([section(le), iface(le, 1, 4), simple]));
		expect(packets[0]).toMatchObject({ timestampNs: 0n, originalLength: 60 });
		expect([...packets[0]!.bytes]).toEqual([1, 2, 3, 4]);
	});

	it("starts its interfaces anew with each section", () => {
		const file = [section(le), iface(le, 1, 0), enhanced(le, 0, 1n), section(le), enhanced(le, 0, 1n)];
		expect(codeOf(() => parseCapture(Buffer.concat(file)))).toBe("CAPTURE_INVALID");
	});

	it("refuses mixed link types, but not an unused interface", () => {
		const base = [section(le), iface(le, 1, 0), iface(le, 113, 0), enhanced(le, 0, 1n)];
		expect(parseCapture(Buffer.concat(base)).linkType).toBe(1);
		expect(codeOf(() => parseCapture(Buffer.concat([...base, enhanced(le, 1, 1n)])))).toBe(
			"CAPTURE_LINKTYPE",
		);
	});

	it("refuses blocks whose two lengths differ or are impossible", () => {
		const file = Buffer.concat([section(le), iface(le, 1, 0)]);
		const differ = Buffer.from(file);
		const last = file.length - (le ? 4 : 1);
		differ.writeUInt8(differ.readUInt8(last) ^ 4, last);
		expect(codeOf(() => parseCapture(differ))).toBe("CAPTURE_INVALID");
		const tiny = Buffer.concat([file, words(le, 6, 8, 8)]);
		expect(codeOf(() => parseCapture(tiny))).toBe("CAPTURE_INVALID");
	});

	it("refuses every cut inside a block", () => {
		const parts = [section(le), iface(le, 1, 0), enhanced(le, 0, 1n)];
		const whole = Buffer.concat(parts);
		const between = [parts[0]!.length, parts[0]!.length + parts[1]!.length];
		for (let length = 4; length < whole.length; length++) {
			if (between.includes(length)) continue;
			expect(codeOf(() => parseCapture(whole.subarray(0, length)))).toBe("CAPTURE_TRUNCATED");
		}
	});
});

describe("ethernetPackets", () => {
	it("refuses other link types with a hint", () => {
		const capture = parseCapture(classic(true, 0xa1b2c3d4, 113));
		expect(codeOf(() => ethernetPackets(capture))).toBe("CAPTURE_LINKTYPE");
	});
});

describe("fuzz", () => {
	// xorshift32: the same inputs in every run.
	function random(seed: number): () => number {
		let state = seed;
		return () => {
			state ^= state << 13;
			state ^= state >>> 17;
			state ^= state << 5;
			return (state >>> 0) / 2 ** 32;
		};
	}

	function mutate(seed: Uint8Array, next: () => number): Uint8Array {
		const bytes = Uint8Array.from(seed);
		const flips = 1 + Math.floor(next() * 8);
		for (let n = 0; n < flips; n++) bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
		return next() < 0.3 ? bytes.subarray(0, Math.floor(next() * bytes.length)) : bytes;
	}

	it("gives a capture or a CaptureError for 20,000 damaged files", () => {
		const seeds = [true, false].flatMap((le) => [
			classic(le, 0xa1b2c3d4),
			classic(le, 0xa1b23c4d),
			Buffer.concat([section(le), iface(le, 1, 4), enhanced(le, 0, 1n), block(le, 3, words(le, 60, frame))]),
			Buffer.concat([
				section(le),
				iface(le, 1, 0),
				iface(le, 1, 0),
				enhanced(le, 0, 1n),
				enhanced(le, 1, 1n),
			]),
		]);
		const next = random(0x6b666e);
		const outcomes = new Map<string, number>();
		for (let n = 0; n < 20_000; n++) {
			const bytes = mutate(seeds[n % seeds.length]!, next);
			let outcome = "read";
			try {
				parseCapture(bytes);
			} catch (error) {
				if (!(error instanceof CaptureError)) throw error;
				outcome = error.code;
			}
			outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
		}
		// The damage must reach every branch, or the fuzzing proves nothing.
		expect([...outcomes.keys()].sort()).toEqual([...Object.keys(CAPTURE_ERRORS), "read"].sort());
	});
});

describe("captures of real traffic", () => {
	it.skipIf(!existsSync(captures))("all are read (skipped where ../shared/captures is absent)", () => {
		const files = readdirSync(captures).filter((name) => name.endsWith(".pcap"));
		expect(files.length).toBeGreaterThan(100);
		for (const name of files) {
			const { linkType, packets } = parseCapture(readFileSync(join(captures, name)));
			expect({ name, linkType, some: packets.length > 0 }).toEqual({ name, linkType: 1, some: true });
		}
	});

	it.skipIf(!existsSync(captures))("give a capture or a CaptureError when cut anywhere", () => {
		for (const name of readdirSync(captures).filter((file) => file.endsWith(".pcap"))) {
			const bytes = readFileSync(join(captures, name));
			for (const part of [0.1, 0.33, 0.5, 0.77, 0.99]) {
				try {
					parseCapture(bytes.subarray(0, Math.floor(bytes.length * part)));
				} catch (error) {
					expect(error).toBeInstanceOf(CaptureError);
				}
			}
		}
	});
});
