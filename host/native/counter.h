/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program that counts what a program answers to its hook: an fexit on it (Linux 5.5), of which no source is compiled, so
 * that the loader stays one file. Reads the answer and adds one to one of four counters; touches nothing else.
 */
#ifndef KFN_COUNTER_H
#define KFN_COUNTER_H

#include <stdint.h>
#include <linux/bpf.h>

/*
 * What the hook makes of an answer. Of a flow dissector (net/core/flow_dissector.c): keys used, dissection failed, the C
 * dissector's turn. Of tc (net/core/dev.c): the packet goes on, is dropped, is the next program's.
 */
struct verdicts {
	uint64_t ok, drop, go_on, other;
};

#define COUNTER_LICENSE	"Dual BSD/GPL"
#define COUNTER_INSNS	13

#define INSN(op, dst, src, offset, value) \
	(struct bpf_insn){ .code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value) }
#define ADD_IF(answer, skip)	INSN(BPF_JMP32 | BPF_JEQ | BPF_K, 2, 0, skip, answer)
#define NEXT_COUNTER			INSN(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, sizeof(uint64_t))

#define FLOW_DISSECTOR_CONTINUE	129		/* BPF_FLOW_DISSECTOR_CONTINUE, newer than libbpf 1.1's linux/bpf.h */
#define TC_UNSPEC		(-1)		/* TC_ACT_UNSPEC, TCX_NEXT */

/* map_fd: an array of one struct verdicts; go_on: the hook's answer for "not mine". BPF_OK and BPF_DROP are TC_ACT_OK and TC_ACT_SHOT. The context is the arguments (one: the skb), then the answer. */
static inline void counter_program(int map_fd, int32_t go_on, struct bpf_insn out[COUNTER_INSNS])
{
	const struct bpf_insn insns[COUNTER_INSNS] = {
		INSN(BPF_LDX | BPF_MEM | BPF_DW, 2, 1, sizeof(uint64_t), 0),
		INSN(BPF_LD | BPF_IMM | BPF_DW, 3, BPF_PSEUDO_MAP_VALUE, 0, map_fd),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, 1),
		ADD_IF(BPF_OK, 5),
		NEXT_COUNTER,
		ADD_IF(BPF_DROP, 3),
		NEXT_COUNTER,
		ADD_IF(go_on, 1),
		NEXT_COUNTER,
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 3, 1, 0, BPF_ADD),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	int i;

	for (i = 0; i < COUNTER_INSNS; i++)
		out[i] = insns[i];
}

#undef INSN
#undef ADD_IF
#undef NEXT_COUNTER

#endif
