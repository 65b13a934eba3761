/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts the BPF instructions that a flow dissector executes for a packet: the
 * figure that no noise moves. Refuses to check anything: the kernel's verifier
 * has passed these programs.
 */
#ifndef KFN_BENCH_INTERPRETER_H
#define KFN_BENCH_INTERPRETER_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRAMS_MAX 16
#define TAIL_CALLS_MAX 33	/* kernel: include/linux/bpf.h, MAX_TAIL_CALL_CNT */

/* Programs as the verifier left them to the JIT, without what it found cannot run; programs[0] begins. */
struct image {
	const struct bpf_insn *programs[PROGRAMS_MAX];
	/* What the PROG_ARRAY holds: an index into programs, 0 for nothing. */
	unsigned int tail[PROGRAMS_MAX];
};

struct run {
	uint64_t instructions;	/* executed; a 16-byte load and a helper's call are 1 each */
	uint64_t helpers;	/* calls of helpers: their own work is not counted */
	uint32_t retval;
	struct bpf_flow_keys keys;
};

/* Runs an Ethernet frame that is all linear, from its ethertype on, without flags. */
void interpret(const struct image *image, const uint8_t *frame, size_t length, struct run *run);

#endif
