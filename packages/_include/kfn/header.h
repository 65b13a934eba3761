/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one way to a packet's header. Refuses to hand out a pointer whose bytes
 * it has not bounds-checked.
 */
#ifndef KFN_HEADER_H
#define KFN_HEADER_H

#include "int.h"
#include "program.h"
#include "skb.h"

/* kernel/bpf/verifier.c, MAX_PACKET_OFF, and bpf_skb_load_bytes()'s own limit. */
#define KFN_PACKET_OFFSET_MAX 0xffff

/*
 * From here on clang knows nothing of the value. Before and after a check, that
 * makes what is checked and what is used the same register: clang would rather
 * check the other half of a sum, or a copy, and use one from the stack, of
 * which the verifiers before 6.12 then know no bounds.
 */
#define KFN_OPAQUE(value) __asm__("" : "+r"(value))

/*
 * header_at() - the size bytes at offset of the packet.
 * Bounds: data + offset + size <= data_end, else the helper's check against the
 * whole packet. Byte order: untouched. Result: a pointer into the packet, or to
 * copy (size bytes, on the stack) when they are not all in the linear part, or
 * NULL when the packet does not have them.
 */
static __always_inline const void *
header_at(struct __sk_buff *skb, __u32 offset, void *copy, const __u32 size)
{
	const void *end = (const void *)(long)skb->data_end;
	const void *header;

	KFN_OPAQUE(offset);
	if (unlikely(offset > KFN_PACKET_OFFSET_MAX - size))
		return NULL;
	KFN_OPAQUE(offset);
	header = (const void *)(long)skb->data + offset;
	if (likely(header + size <= end))
		return header;
	if (bpf_skb_load_bytes(skb, offset, copy, size))
		return NULL;
	return copy;
}

/* HEADER_AT() - header_at() of the type that copy points to. */
#define HEADER_AT(skb, offset, copy) \
	((const __typeof__(*(copy)) *)header_at(skb, offset, copy, sizeof(*(copy))))

#endif
