// Reads the pcapng format (draft-ietf-opsawg-pcapng): section, interface, enhanced and simple packet blocks; other blocks are passed over. Refuses a section whose packets have differing link types.
import { type Capture, CaptureCursor, type CapturedPacket, invalid, PacketList } from "./capture.ts";
import { CaptureError } from "./errors.ts";

const SECTION = 0x0a0d0d0a; // reads the same in both byte orders
const INTERFACE = 1;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const OPTION_END = 0;
const OPTION_TSRESOL = 9;
const OPTION_TSOFFSET = 14;

interface Interface {
	readonly linkType: number;
	/** 0: no limit. */
	readonly snapLength: number;
	readonly unitsPerSecond: bigint;
	readonly offsetSeconds: bigint;
}

interface Block {
	readonly type: number;
	readonly body: CaptureCursor;
}

/** Says whether bytes start like a pcapng file. */
export function isPcapng(bytes: Uint8Array): boolean {
	return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) === SECTION;
}

/** Parses a whole pcapng file; any deviation is a CaptureError. */
export function parsePcapng(bytes: Uint8Array): Capture {
	const list = new PacketList();
	const linkTypes = new Set<number>();
	let declared: number | undefined;
	let interfaces: Interface[] = [];
	for (const block of blocks(bytes)) {
		if (block.type === SECTION) {
			checkVersion(block.body);
			interfaces = [];
		} else if (block.type === INTERFACE) {
			const described = parseInterface(block.body);
			declared ??= described.linkType;
			interfaces.push(described);
		} else if (block.type === ENHANCED_PACKET || block.type === SIMPLE_PACKET) {
			const enhanced = block.type === ENHANCED_PACKET;
			const [packet, from] = (enhanced ? enhancedPacket : simplePacket)(block.body, interfaces, list);
			list.packets.push(packet);
			linkTypes.add(from.linkType);
			if (linkTypes.size > 1) mixed(linkTypes);
		}
	}
	const [linkType = declared] = linkTypes;
	return { linkType: linkType ?? invalid("the capture describes no interface"), packets: list.packets };
}

/** The file's blocks in order. The byte order is each section's own; a block's two length fields must agree. */
function* blocks(bytes: Uint8Array): Generator<Block> {
	let littleEndian = true;
	let offset = 0;
	while (offset < bytes.length) {
		if (isPcapng(bytes.subarray(offset))) littleEndian = byteOrder(bytes, offset);
		else if (offset === 0) invalid("the file does not start with a section header block");
		const cursor = new CaptureCursor(bytes, littleEndian, offset);
		const type = cursor.u32();
		const length = cursor.u32();
		if (length < 12 || length % 4 !== 0)
			invalid(`a block at byte ${offset} has length ${length}`, { offset, length });
		const from = cursor.offset;
		cursor.take(length - 12);
		if (cursor.u32() !== length) invalid(`the two lengths of the block at byte ${offset} differ`, { offset });
		yield { type, body: new CaptureCursor(bytes, littleEndian, from, from + length - 12) };
		offset += length;
	}
}

function byteOrder(bytes: Uint8Array, offset: number): boolean {
	const little = new CaptureCursor(bytes, true, offset + 8).u32();
	if (little === BYTE_ORDER_MAGIC) return true;
	if (new CaptureCursor(bytes, false, offset + 8).u32() === BYTE_ORDER_MAGIC) return false;
	return invalid(`the section at byte ${offset} has no byte-order magic`, { offset });
}

function checkVersion(body: CaptureCursor): void {
	body.u32();
	const [major, minor] = [body.u16(), body.u16()];
	// 1.2 was written by some tools and means 1.0 (draft, section 4.1).
	if (major !== 1 || (minor !== 0 && minor !== 2)) invalid(`pcapng version ${major}.${minor} is not known`);
	body.i64();
}

function parseInterface(body: CaptureCursor): Interface {
	const linkType = body.u16();
	body.u16();
	const snapLength = body.u32();
	let unitsPerSecond = 1_000_000n;
	let offsetSeconds = 0n;
	while (body.remaining >= 4) {
		const [code, length] = [body.u16(), body.u16()];
		if (code === OPTION_END) break;
		const value = new CaptureCursor(body.take(length), body.littleEndian);
		body.take(Math.min((4 - (length % 4)) % 4, body.remaining));
		if (code === OPTION_TSRESOL) unitsPerSecond = resolution(value.u8());
		if (code === OPTION_TSOFFSET) offsetSeconds = value.i64();
	}
	return { linkType, snapLength, unitsPerSecond, offsetSeconds };
}

/** if_tsresol: the top bit chooses powers of 2 over powers of 10. */
function resolution(code: number): bigint {
	return (code & 0x80 ? 2n : 10n) ** BigInt(code & 0x7f);
}

function enhancedPacket(
	body: CaptureCursor,
	interfaces: readonly Interface[],
	list: PacketList,
): [CapturedPacket, Interface] {
	const from = interfaceAt(interfaces, body.u32());
	const units = (BigInt(body.u32()) << 32n) | BigInt(body.u32());
	const captured = body.u32();
	const originalLength = body.u32();
	list.admit(captured);
	const timestampNs = from.offsetSeconds * 1_000_000_000n + (units * 1_000_000_000n) / from.unitsPerSecond;
	return [{ timestampNs, bytes: body.take(captured), originalLength }, from];
}

function simplePacket(
	body: CaptureCursor,
	interfaces: readonly Interface[],
	list: PacketList,
): [CapturedPacket, Interface] {
	const from = interfaceAt(interfaces, 0);
	const originalLength = body.u32();
	const captured = from.snapLength === 0 ? originalLength : Math.min(originalLength, from.snapLength);
	list.admit(captured);
	return [{ timestampNs: 0n, bytes: body.take(captured), originalLength }, from];
}

function interfaceAt(interfaces: readonly Interface[], index: number): Interface {
	return (
		interfaces[index] ?? invalid(`a packet names interface ${index}, which the section does not describe`)
	);
}

function mixed(linkTypes: ReadonlySet<number>): never {
	const list = [...linkTypes];
	throw new CaptureError("CAPTURE_LINKTYPE", `the capture mixes link types ${list.join(" and ")}`, {
		hint: "capture one interface at a time",
		details: { linkTypes: list },
	});
}
