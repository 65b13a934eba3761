// The types of an object's .BTF section, as far as the declaration of a map needs them (Documentation/bpf/btf.rst). Refuses
// what points outside; gives no layout of members.
import { elfInvalid, stringAt } from "./elf-file.ts";

const MAGIC = 0xeb9f;
const HEADER_BYTES = 24;
const TYPE_BYTES = 12;
const MOST_TYPES = 65536;
/** More links than this from a typedef to its type are a ring. */
const DEEPEST = 32;

export const BTF_KIND = {
	INT: 1,
	PTR: 2,
	ARRAY: 3,
	STRUCT: 4,
	UNION: 5,
	ENUM: 6,
	TYPEDEF: 8,
	VOLATILE: 9,
	CONST: 10,
	RESTRICT: 11,
	VAR: 14,
	DATASEC: 15,
	FLOAT: 16,
	TYPE_TAG: 18,
	ENUM64: 19,
} as const;

/** Bytes behind a type's 12, by its kind: so many, and so many for each member. */
const BEHIND: Readonly<Record<number, readonly [own: number, each: number]>> = {
	1: [4, 0],
	2: [0, 0],
	3: [12, 0],
	4: [0, 12],
	5: [0, 12],
	6: [0, 8],
	7: [0, 0],
	8: [0, 0],
	9: [0, 0],
	10: [0, 0],
	11: [0, 0],
	12: [0, 0],
	13: [0, 8],
	14: [4, 0],
	15: [0, 12],
	16: [0, 0],
	17: [4, 0],
	18: [0, 0],
	19: [0, 12],
};

export interface BtfType {
	readonly kind: number;
	readonly name: string;
	/** Size in bytes, or the id of the type that this one refers to; which of them is the kind's. */
	readonly sizeOrType: number;
	/** Of a structure or a section: name (a section's variables have none) and type. */
	readonly members: readonly { readonly name: string; readonly type: number }[];
	/** Of an array: its element's type and how many. */
	readonly array: { readonly type: number; readonly count: number } | undefined;
}

export interface Btf {
	/** By id; 0 is void. */
	readonly types: readonly (BtfType | undefined)[];
}

/** Reads every type of a .BTF section. BUNDLE_ELF_INVALID. */
export function readBtf(bytes: Buffer): Btf {
	const part = (start: number, length: number): Buffer => {
		if (start + length > bytes.length) throw elfInvalid("has .BTF that ends too early");
		return bytes.subarray(start, start + length);
	};
	const header = part(0, HEADER_BYTES);
	if (header.readUInt16LE(0) !== MAGIC) throw elfInvalid("has .BTF of unknown form");
	const start = header.readUInt32LE(4);
	const types = part(start + header.readUInt32LE(8), header.readUInt32LE(12));
	const strings = part(start + header.readUInt32LE(16), header.readUInt32LE(20));
	const found: (BtfType | undefined)[] = [undefined];
	for (let at = 0; at < types.length; ) {
		if (at + TYPE_BYTES > types.length || found.length > MOST_TYPES) throw elfInvalid("has malformed .BTF");
		const info = types.readUInt32LE(at + 4);
		const [kind, count] = [(info >>> 24) & 31, info & 0xffff];
		const behind = BEHIND[kind];
		if (behind === undefined) throw elfInvalid(`has a BTF type of the unknown kind ${kind}`);
		const end = at + TYPE_BYTES + behind[0] + behind[1] * count;
		if (end > types.length) throw elfInvalid("has malformed .BTF");
		found.push(typeAt(types.subarray(at, end), kind, count, strings));
		at = end;
	}
	return { types: found };
}

function typeAt(bytes: Buffer, kind: number, count: number, strings: Buffer): BtfType {
	const hasNames = kind === BTF_KIND.STRUCT || kind === BTF_KIND.UNION;
	const members = Array.from({ length: hasNames || kind === BTF_KIND.DATASEC ? count : 0 }, (_, i) => {
		const at = TYPE_BYTES + i * 12;
		if (!hasNames) return { name: "", type: bytes.readUInt32LE(at) };
		return { name: stringAt(strings, bytes.readUInt32LE(at)), type: bytes.readUInt32LE(at + 4) };
	});
	return {
		kind,
		name: stringAt(strings, bytes.readUInt32LE(0)),
		sizeOrType: bytes.readUInt32LE(8),
		members,
		array:
			kind === BTF_KIND.ARRAY
				? { type: bytes.readUInt32LE(TYPE_BYTES), count: bytes.readUInt32LE(TYPE_BYTES + 8) }
				: undefined,
	};
}

const ALIASES: readonly number[] = [
	BTF_KIND.TYPEDEF,
	BTF_KIND.VOLATILE,
	BTF_KIND.CONST,
	BTF_KIND.RESTRICT,
	BTF_KIND.TYPE_TAG,
];

/** The type that an id names, behind its typedefs and qualifiers. BUNDLE_ELF_INVALID. */
export function btfType({ types }: Btf, id: number): BtfType {
	let type = types[id];
	for (let depth = 0; type !== undefined && ALIASES.includes(type.kind); depth++) {
		if (depth === DEEPEST) throw elfInvalid("has a BTF type that refers to itself");
		type = types[type.sizeOrType];
	}
	if (type === undefined) throw elfInvalid("has a BTF type that is not there");
	return type;
}

/** The size of a type in bytes. BUNDLE_ELF_INVALID for one that has none. */
export function btfSize(btf: Btf, id: number, depth = 0): number {
	const type = btfType(btf, id);
	const { INT, STRUCT, UNION, ENUM, FLOAT, ENUM64, PTR } = BTF_KIND;
	if (depth < DEEPEST && type.array !== undefined)
		return type.array.count * btfSize(btf, type.array.type, depth + 1);
	if (type.kind === PTR) return 8;
	if (([INT, STRUCT, UNION, ENUM, FLOAT, ENUM64] as number[]).includes(type.kind)) return type.sizeOrType;
	throw elfInvalid("has a BTF type without a size");
}
