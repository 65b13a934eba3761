/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stands in for packages/_include/kfn/skb.h and kfn/config.h when a program is
 * compiled for the host: the same guards, included first. Refuses to read
 * outside the packet, as the kernel's helper does.
 */
#ifndef KFN_SKB_H
#define KFN_SKB_H

#include "kfn/int.h"

struct bpf_flow_keys;

struct __sk_buff {
	const void *data;	/* the linear part: a heap block of its own, for ASan */
	const void *data_end;
	struct bpf_flow_keys *flow_keys;
	const __u8 *packet;	/* all of it */
	__u32 length;
	int has_skb;		/* 0: the helper fails, as for drivers that have no skb yet */
};

/* kernel: net/core/filter.c, bpf_flow_dissector_load_bytes() */
long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 len);

int flow_dissect(struct __sk_buff *skb);

#endif

/* The loader writes a value into the instructions; here it is a table. */
#ifndef KFN_CONFIG_H
#define KFN_CONFIG_H

#define KFN_CONFIG_ABSENT 0x10000
#define KFN_CONFIG(parameter, element, initial) kfn_config(parameter, element, initial)

__u32 kfn_config(__u32 parameter, __u32 element, __u32 initial);

#endif
