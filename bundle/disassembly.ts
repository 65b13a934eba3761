// eBPF instructions as text (RFC 9669 and Linux's pseudo instructions), in the syntax that LLVM's assembler takes. Refuses to
// name what the instruction set does not define, reserved bits included: that comes out as its bytes.

const INSN_BYTES = 8;

/** One instruction of 8 bytes; `wide` is the immediate's upper half, where a second slot follows. */
interface Insn {
	readonly opcode: number;
	readonly dst: number;
	readonly src: number;
	readonly off: number;
	readonly imm: number;
	readonly bytes: Buffer;
	readonly next: Buffer | undefined;
}

const CLASS = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, JMP32: 6, ALU64: 7 } as const;
const MODE = { ABS: 0x20, IND: 0x40, MEM: 0x60, MEMSX: 0x80, ATOMIC: 0xc0 } as const;
const LD_IMM64 = 0x18;
const SIZES: Readonly<Record<number, number>> = { 0: 32, 8: 16, 16: 8, 24: 64 };
const ALU_OPS = ["+", "-", "*", "/", "|", "&", "<<", ">>", undefined, "%", "^", "", "s>>"];
const NEG = 8;
const MOV = 11;
const END = 13;
const CONDITIONS: Readonly<Record<number, string>> = {
	1: "==",
	2: ">",
	3: ">=",
	4: "&",
	5: "!=",
	6: "s>",
	7: "s>=",
	10: "<",
	11: "<=",
	12: "s<",
	13: "s<=",
};
const ATOMIC_OPS: Readonly<Record<number, readonly [sign: string, name: string]>> = {
	0: ["+=", "add"],
	64: ["|=", "or"],
	80: ["&=", "and"],
	160: ["^=", "xor"],
};
/** BPF_PSEUDO_* of a 64-bit immediate (linux/bpf.h), by the source register's field. */
const PSEUDO_LOADS = ["", "map_fd", "map_value", "btf_id", "func", "map_idx", "map_idx_value"];

/**
 * One line per instruction, without its offset, so that two programs can be compared line by line; jumps are relative.
 *
 * A 64-bit immediate takes two slots and one line. Never throws: bytes that are no instruction, and a torn last one, come out as
 * `.byte` with their hexadecimal text.
 */
export function disassemble(insns: Uint8Array): string[] {
	const bytes = Buffer.from(insns.buffer, insns.byteOffset, insns.byteLength);
	const lines: string[] = [];
	for (let at = 0; at < bytes.length; ) {
		const insn = insnAt(bytes, at);
		const text = insn === undefined ? undefined : textOf(insn);
		lines.push(text ?? unknown(bytes.subarray(at, at + INSN_BYTES)));
		at += text !== undefined && insn?.opcode === LD_IMM64 ? 2 * INSN_BYTES : INSN_BYTES;
	}
	return lines;
}

function insnAt(bytes: Buffer, at: number): Insn | undefined {
	if (at + INSN_BYTES > bytes.length) return undefined;
	const own = bytes.subarray(at, at + INSN_BYTES);
	const next = bytes.subarray(at + INSN_BYTES, at + 2 * INSN_BYTES);
	return {
		opcode: own[0]!,
		dst: own[1]! & 15,
		src: own[1]! >> 4,
		off: own.readInt16LE(2),
		imm: own.readInt32LE(4),
		bytes: own,
		next: next.length === INSN_BYTES ? next : undefined,
	};
}

function textOf(insn: Insn): string | undefined {
	if (insn.dst > 10) return undefined;
	switch (insn.opcode & 7) {
		case CLASS.LD:
			return insn.opcode === LD_IMM64 ? wideLoad(insn) : packetLoad(insn);
		case CLASS.LDX:
			return load(insn);
		case CLASS.ST:
			return storeImmediate(insn);
		case CLASS.STX:
			return (insn.opcode & 0xe0) === MODE.ATOMIC ? atomic(insn) : store(insn);
		case CLASS.ALU:
		case CLASS.ALU64:
			return arithmetic(insn);
		default:
			return jump(insn);
	}
}

function wideLoad({ dst, src, off, imm, next }: Insn): string | undefined {
	if (off !== 0 || next === undefined || next.readInt32LE(0) !== 0) return undefined;
	const pseudo = PSEUDO_LOADS[src];
	if (pseudo === undefined) return undefined;
	const upper = next.readInt32LE(4);
	if (pseudo === "") return `r${dst} = ${(BigInt(upper) << 32n) | BigInt(imm >>> 0)} ll`;
	const offset = pseudo.endsWith("value") ? ` + ${upper}` : "";
	if (offset === "" && upper !== 0) return undefined;
	return `r${dst} = ${pseudo} ${imm}${offset} ll`;
}

/** The classic BPF loads, which read the packet of an skb into r0. */
function packetLoad({ opcode, dst, src, off, imm }: Insn): string | undefined {
	const size = SIZES[opcode & 0x18]!;
	if (dst !== 0 || off !== 0 || size === 64) return undefined;
	if ((opcode & 0xe0) === MODE.ABS && src === 0) return `r0 = *(u${size} *)skb[${imm}]`;
	// An offset beside the register has no spelling in the assembler.
	if ((opcode & 0xe0) === MODE.IND && src <= 10 && imm === 0) return `r0 = *(u${size} *)skb[r${src}]`;
	return undefined;
}

function load({ opcode, dst, src, off, imm }: Insn): string | undefined {
	const size = SIZES[opcode & 0x18]!;
	const mode = opcode & 0xe0;
	if (src > 10 || imm !== 0) return undefined;
	if (mode === MODE.MEM) return `r${dst} = *(u${size} *)(${address(src, off)})`;
	if (mode === MODE.MEMSX && size !== 64) return `r${dst} = *(s${size} *)(${address(src, off)})`;
	return undefined;
}

function storeImmediate({ opcode, dst, src, off, imm }: Insn): string | undefined {
	if ((opcode & 0xe0) !== MODE.MEM || src !== 0) return undefined;
	return `*(u${SIZES[opcode & 0x18]} *)(${address(dst, off)}) = ${imm}`;
}

function store({ opcode, dst, src, off, imm }: Insn): string | undefined {
	if ((opcode & 0xe0) !== MODE.MEM || src > 10 || imm !== 0) return undefined;
	return `*(u${SIZES[opcode & 0x18]} *)(${address(dst, off)}) = r${src}`;
}

function atomic({ opcode, dst, src, off, imm }: Insn): string | undefined {
	const size = SIZES[opcode & 0x18]!;
	if (src > 10) return undefined;
	const place = address(dst, off);
	// Load-acquire and store-release (Linux 6.15) come in all sizes.
	if (imm === 0x100) return `${reg(size, dst)} = load_acquire((u${size} *)(${address(src, off)}))`;
	if (imm === 0x110) return `store_release((u${size} *)(${place}), ${reg(size, src)})`;
	if (size < 32) return undefined;
	const value = reg(size, src);
	const suffix = size === 64 ? "_64" : "32_32";
	if (imm === 0xe1) return `${value} = xchg${suffix}(${place}, ${value})`;
	if (imm === 0xf1) return `${reg(size, 0)} = cmpxchg${suffix}(${place}, ${reg(size, 0)}, ${value})`;
	const [sign, name] = ATOMIC_OPS[imm & ~1] ?? [];
	if (sign === undefined) return undefined;
	if ((imm & 1) === 0) return `lock *(u${size} *)(${place}) ${sign} ${value}`;
	return `${value} = atomic_fetch_${name}((u${size} *)(${place}), ${value})`;
}

function arithmetic(insn: Insn): string | undefined {
	const { opcode, dst, src, off, imm } = insn;
	const op = opcode >> 4;
	const wide = (opcode & 7) === CLASS.ALU64;
	const isRegister = (opcode & 8) !== 0;
	const to = reg(wide ? 64 : 32, dst);
	if (op === END) return byteSwap(insn);
	if (isRegister ? src > 10 || (imm !== 0 && op !== MOV) : src !== 0) return undefined;
	if (op === NEG) return isRegister || off !== 0 || imm !== 0 ? undefined : `${to} = -${to}`;
	if (op === MOV && isRegister) return move(insn);
	const sign = ALU_OPS[op];
	if (sign === undefined) return undefined;
	// Division and remainder are signed where the offset is 1 (v4); no other operation has an offset.
	const isSigned = off === 1 && (sign === "/" || sign === "%");
	if (off !== 0 && !isSigned) return undefined;
	return `${to} ${isSigned ? "s" : ""}${sign}= ${isRegister ? reg(wide ? 64 : 32, src) : imm}`;
}

/** Also with sign extension (v4) and between the address spaces of an arena. */
function move({ opcode, dst, src, off, imm }: Insn): string | undefined {
	const size = (opcode & 7) === CLASS.ALU64 ? 64 : 32;
	const [to, from] = [reg(size, dst), reg(size, src)];
	if (off === 1 && size === 64) return `${to} = addr_space_cast(${from}, ${imm >>> 16}, ${imm & 0xffff})`;
	if (imm !== 0) return undefined;
	if (off === 0) return `${to} = ${from}`;
	const narrow = off === 8 || off === 16 || (off === 32 && size === 64);
	return narrow ? `${to} = (s${off})${from}` : undefined;
}

function byteSwap({ opcode, dst, src, off, imm }: Insn): string | undefined {
	if (src !== 0 || off !== 0 || ![16, 32, 64].includes(imm)) return undefined;
	const toBig = (opcode & 8) !== 0;
	const wide = (opcode & 7) === CLASS.ALU64;
	if (wide && toBig) return undefined;
	return `r${dst} = ${wide ? "bswap" : toBig ? "be" : "le"}${imm} r${dst}`;
}

function jump(insn: Insn): string | undefined {
	const { opcode, dst, src, off, imm } = insn;
	const op = opcode >> 4;
	const size = (opcode & 7) === CLASS.JMP ? 64 : 32;
	const isRegister = (opcode & 8) !== 0;
	const condition = CONDITIONS[op];
	if (condition === undefined) return size === 64 ? control(insn) : longJump(insn);
	if (isRegister ? src > 10 || imm !== 0 : src !== 0) return undefined;
	return `if ${reg(size, dst)} ${condition} ${isRegister ? reg(size, src) : imm} goto ${relative(off)}`;
}

function control({ opcode, dst, src, off, imm }: Insn): string | undefined {
	const isBare = dst === 0 && src === 0;
	if (opcode === 0x05 && isBare && imm === 0) return `goto ${relative(off)}`;
	if (opcode === 0xe5 && isBare && imm === 0) return `may_goto ${relative(off)}`;
	if (opcode === 0x95 && isBare && off === 0 && imm === 0) return "exit";
	if (opcode === 0x8d && src === 0 && off === 0 && imm === 0) return `callx r${dst}`;
	if (opcode !== 0x85 || dst !== 0) return undefined;
	if (src === 0 && off === 0) return `call ${imm}`;
	if (src === 1 && off === 0) return `call pc${relative(imm)}`;
	// The offset of a kfunc's call says in which BTF its id is.
	return src === 2 ? `call kfunc ${imm}${off === 0 ? "" : ` of btf ${off}`}` : undefined;
}

function longJump({ opcode, dst, src, off, imm }: Insn): string | undefined {
	return opcode === 0x06 && dst === 0 && src === 0 && off === 0 ? `gotol ${relative(imm)}` : undefined;
}

function address(base: number, off: number): string {
	return `r${base} ${off < 0 ? "-" : "+"} ${Math.abs(off)}`;
}

function reg(size: number, n: number): string {
	return `${size === 64 ? "r" : "w"}${n}`;
}

function relative(offset: number): string {
	return offset < 0 ? String(offset) : `+${offset}`;
}

function unknown(bytes: Buffer): string {
	return `.byte ${[...bytes].map((byte) => `0x${byte.toString(16).padStart(2, "0")}`).join(", ")}`;
}
