// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * An interpreter of the BPF instruction set (RFC 9669) as far as flow
 * dissectors of clang's -mcpu=v3 use it. Refuses (by ending the process) an
 * instruction that it does not know.
 */
#include "interpreter.h"

#include <err.h>
#include <linux/if_ether.h>
#include <string.h>

#define STACK_SIZE 512		/* kernel: include/linux/filter.h, MAX_BPF_STACK */

/* kernel: include/linux/filter.h, struct bpf_flow_dissector. What the verifier makes of struct __sk_buff. */
struct context {
	struct bpf_flow_keys *flow_keys;
	const void *skb;
	const uint8_t *data;
	const uint8_t *data_end;
};

struct cpu {
	const struct image *image;
	struct run *run;
	uint64_t r[11];
	const struct bpf_insn *next;
	unsigned int tail_calls;
};

static void tail_call(struct cpu *cpu)
{
	uint32_t slot = cpu->r[3];
	unsigned int program = slot < PROGRAMS_MAX ? cpu->image->tail[slot] : 0;

	if (program && cpu->tail_calls++ < TAIL_CALLS_MAX)
		cpu->next = cpu->image->programs[program];
}

/*
 * A translated call names an address. All but tail calls succeed and do
 * nothing: that is bpf_map_update_elem(). Packets are linear, so that
 * bpf_skb_load_bytes() is not called; if it were, the keys would be wrong.
 */
static void call(struct cpu *cpu, const struct bpf_insn *insn)
{
	if (insn->src_reg == BPF_PSEUDO_CALL)
		errx(1, "subprograms are not modelled");
	cpu->run->helpers++;
	if (insn->imm == BPF_FUNC_tail_call)
		tail_call(cpu);
	else
		cpu->r[0] = 0;
}

static uint64_t swap_bytes(const struct bpf_insn *insn, uint64_t value)
{
	int swap = BPF_SRC(insn->code) == BPF_TO_BE;

	switch (insn->imm) {
	case 16:
		return swap ? __builtin_bswap16(value) : (uint16_t)value;
	case 32:
		return swap ? __builtin_bswap32(value) : (uint32_t)value;
	default:
		return swap ? __builtin_bswap64(value) : value;
	}
}

static void arithmetic(struct cpu *cpu, const struct bpf_insn *insn)
{
	int wide = BPF_CLASS(insn->code) == BPF_ALU64;
	uint64_t *to = &cpu->r[insn->dst_reg], a = *to;
	uint64_t b = BPF_SRC(insn->code) == BPF_X ? cpu->r[insn->src_reg] : (uint64_t)(int64_t)insn->imm;
	unsigned int shift = b & (wide ? 63 : 31);

	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (BPF_OP(insn->code)) {
	case BPF_ADD: a += b; break;
	case BPF_SUB: a -= b; break;
	case BPF_MUL: a *= b; break;
	case BPF_DIV: a = b ? a / b : 0; break;
	case BPF_MOD: a = b ? a % b : a; break;
	case BPF_OR: a |= b; break;
	case BPF_AND: a &= b; break;
	case BPF_XOR: a ^= b; break;
	case BPF_LSH: a <<= shift; break;
	case BPF_RSH: a >>= shift; break;
	case BPF_ARSH: a = wide ? (uint64_t)((int64_t)a >> shift) : (uint64_t)((int32_t)a >> shift); break;
	case BPF_NEG: a = -a; break;
	case BPF_MOV: a = b; break;
	case BPF_END: *to = swap_bytes(insn, *to); return;
	default: errx(1, "arithmetic %#x is not modelled", insn->code);
	}
	if (insn->off)
		errx(1, "arithmetic %#x of a later instruction set", insn->code);
	*to = wide ? a : (uint32_t)a;
}

static int condition(const struct cpu *cpu, const struct bpf_insn *insn)
{
	uint64_t a = cpu->r[insn->dst_reg];
	uint64_t b = BPF_SRC(insn->code) == BPF_X ? cpu->r[insn->src_reg] : (uint64_t)(int64_t)insn->imm;
	int64_t sa = a, sb = b;

	if (BPF_CLASS(insn->code) == BPF_JMP32) {
		sa = (int32_t)a;
		sb = (int32_t)b;
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (BPF_OP(insn->code)) {
	case BPF_JA: return 1;
	case BPF_JEQ: return a == b;
	case BPF_JNE: return a != b;
	case BPF_JSET: return !!(a & b);
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	case BPF_JLT: return a < b;
	case BPF_JLE: return a <= b;
	case BPF_JSGT: return sa > sb;
	case BPF_JSGE: return sa >= sb;
	case BPF_JSLT: return sa < sb;
	case BPF_JSLE: return sa <= sb;
	default: errx(1, "jump %#x is not modelled", insn->code);
	}
}

static void access_memory(struct cpu *cpu, const struct bpf_insn *insn)
{
	static const uint8_t sizes[] = { [BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8 };
	int is_load = BPF_CLASS(insn->code) == BPF_LDX;
	uint64_t value = BPF_CLASS(insn->code) == BPF_ST ? (uint64_t)(int64_t)insn->imm : cpu->r[insn->src_reg];
	uint8_t size = sizes[BPF_SIZE(insn->code) >> 3];
	void *at = (void *)(cpu->r[is_load ? insn->src_reg : insn->dst_reg] + insn->off);

	if (BPF_MODE(insn->code) != BPF_MEM)
		errx(1, "memory access %#x is not modelled", insn->code);
	if (is_load) {
		value = 0;
		memcpy(&value, at, size);
		cpu->r[insn->dst_reg] = value;
	} else {
		memcpy(at, &value, size);
	}
}

/* Returns 1 at the end of the program. */
static int jump(struct cpu *cpu, const struct bpf_insn *insn)
{
	int is_wide = BPF_CLASS(insn->code) == BPF_JMP;

	if (is_wide && BPF_OP(insn->code) == BPF_EXIT)
		return 1;
	if (is_wide && BPF_OP(insn->code) == BPF_CALL) {
		call(cpu, insn);
		return 0;
	}
	if (condition(cpu, insn))
		cpu->next += insn->off;
	return 0;
}

static int step(struct cpu *cpu)
{
	const struct bpf_insn *insn = cpu->next++;

	cpu->run->instructions++;
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		arithmetic(cpu, insn);
		return 0;
	case BPF_JMP:
	case BPF_JMP32:
		return jump(cpu, insn);
	case BPF_LD:
		if (insn->code != (BPF_LD | BPF_DW | BPF_IMM))
			errx(1, "load %#x is not modelled", insn->code);
		cpu->r[insn->dst_reg] = (uint32_t)insn->imm | (uint64_t)(uint32_t)cpu->next->imm << 32;
		cpu->next++;
		return 0;
	default:
		access_memory(cpu, insn);
		return 0;
	}
}

void interpret(const struct image *image, const uint8_t *frame, size_t length, struct run *run)
{
	struct context context = { .flow_keys = &run->keys, .data = frame, .data_end = frame + length };
	struct cpu cpu = { .image = image, .run = run, .next = image->programs[0] };
	uint8_t stack[STACK_SIZE] = { 0 };

	if (length < ETH_HLEN)
		errx(1, "a frame of %zu bytes", length);
	memset(run, 0, sizeof(*run));
	run->keys.nhoff = ETH_HLEN;
	run->keys.thoff = ETH_HLEN;
	memcpy(&run->keys.n_proto, frame + ETH_HLEN - 2, 2);
	cpu.r[1] = (uint64_t)&context;
	cpu.r[10] = (uint64_t)stack + STACK_SIZE;
	while (!step(&cpu))
		;
	run->retval = cpu.r[0];
}
