/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#define SEC(name) __attribute__((section(name), used))

/* docs/formats/elf-note.md: owner "kfn", type 1, text padded with NUL. */
#define NOTE(text)							\
	__asm__(".pushsection .note.kfn,\"\",@note\n"			\
		".balign 4\n .long 4\n .long 2f - 1f\n .long 1\n"	\
		".asciz \"kfn\"\n 1: .ascii \"" text "\"\n"		\
		".balign 4\n 2:\n .popsection\n")

struct bpf_flow_keys {
	unsigned short nhoff, thoff;
};

/* The part of struct __sk_buff that a flow dissector may read: flow_keys stands at 144. */
struct context {
	unsigned char other[144];
	unsigned long long flow_keys;
};
