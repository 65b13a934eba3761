/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a dissection stands, and how it goes on. Refuses to know any protocol.
 */
#ifndef FLOW_DISSECTOR_DISSECTION_H
#define FLOW_DISSECTOR_DISSECTION_H

#include "kfn/flow_keys.h"
#include "kfn/header.h"
#include "kfn/int.h"
#include "kfn/program.h"
#include "kfn/skb.h"

/*
 * What to do next. The values are 7 apart, for no two of them then differ by a
 * power of 2: clang would make "flag ? A : B" of such a pair into arithmetic,
 * and the verifier would follow steps that cannot happen (6 times the effort).
 */
enum step {
	STEP_ETHERTYPE = 7,	/* the header at offset is what ethertype says */
	STEP_IP_PROTO = 14,	/* the header at offset is what ip_proto says */
	STEP_PORTS = 21,	/* ip_proto is no header to skip: ports, if it has any */
	STEP_GOOD = 28,		/* done */
	STEP_BAD = 35,		/* done: a header is cut off or nonsense */
	STEP_UNKNOWN = 42,	/* not for this program: ask the C code */
	STEP_REFUSE = 49,	/* done: bad, and not for the C code's eyes either */
};

/* Where the dissection stands. What a step writes into keys is final. */
struct dissection {
	struct __sk_buff *skb;
	struct bpf_flow_keys *keys;
	__u32 offset;		/* of the current header, from the packet's first byte */
	__be16 ethertype;	/* of the innermost network header so far */
	__u8 ip_proto;		/* of the innermost transport or extension header so far */
};

/*
 * Between two headers the position lies in the keys, where it belongs at the
 * end anyhow. It is volatile because the verifier knows nothing of what it
 * reads there: it would otherwise follow every sum of header lengths through
 * all the headers behind (5.10 to 6.18 give up after a million instructions).
 */
static __always_inline void resume(struct dissection *d)
{
	const volatile struct bpf_flow_keys *keys = d->keys;

	d->offset = keys->thoff;
	d->ethertype = keys->n_proto;
	d->ip_proto = keys->ip_proto;
}

static __always_inline void suspend(struct dissection *d)
{
	volatile struct bpf_flow_keys *keys = d->keys;

	/* thoff has 16 bits, and a wrapped one would name an earlier header. */
	if (d->offset > KFN_PACKET_OFFSET_MAX)
		d->offset = KFN_PACKET_OFFSET_MAX;
	keys->thoff = d->offset;
	keys->n_proto = d->ethertype;
	keys->ip_proto = d->ip_proto;
}

/* What stands before a network header of the same packet, as a tag does. */
static __always_inline enum step followed_by(struct dissection *d, __be16 ethertype)
{
	d->ethertype = ethertype;
	/* nhoff is the outermost network header: a tag inside of a tunnel is not before it. */
	if (!d->keys->is_encap)
		d->keys->nhoff = d->offset;
	return STEP_ETHERTYPE;
}

/* What carries another packet; the caller may want no more than that. */
static __always_inline enum step encapsulated(struct dissection *d, enum step next)
{
	d->keys->is_encap = 1;
	if (d->keys->flags & BPF_FLOW_DISSECTOR_F_STOP_AT_ENCAP)
		return STEP_GOOD;
	return next;
}

#endif
