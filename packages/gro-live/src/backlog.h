/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A look at the packet that this CPU takes from its backlog next. Refuses to touch
 * it: all is read, and a fault reads as 0. It cannot go away while the program
 * runs, as only this CPU takes from that queue, in the loop that called the program.
 */
#ifndef GRO_LIVE_BACKLOG_H
#define GRO_LIVE_BACKLOG_H

#include "kernel_types.h"
#include "segment.h"

/* The next packet; not one where the queue is empty, but its head: see is_head(). */
static __always_inline struct sk_buff *backlog_next(void)
{
	const struct softnet_data *backlog = bpf_this_cpu_ptr(&softnet_data);

	return backlog->process_queue.next;
}

static __always_inline int is_head(const struct sk_buff *skb)
{
	const struct softnet_data *backlog = bpf_this_cpu_ptr(&softnet_data);

	return (const void *)skb == (const void *)&backlog->process_queue;
}

static __always_inline int is_gso(const struct sk_buff *skb)
{
	const struct skb_shared_info *info = (const void *)skb->head + skb->end;
	__u16 gso_size;

	return bpf_probe_read_kernel(&gso_size, sizeof(gso_size), &info->gso_size) || gso_size;
}

/*
 * Reads a packet of the queue as it will come to the program on device dev, if
 * it can be made longer then and its headers can be read now: 1, else 0.
 */
static __always_inline int backlog_read(const struct sk_buff *skb, const void *dev, __u32 checksum, struct segment *s)
{
	const unsigned char *network = skb->data;
	__u32 linear = skb->len - skb->data_len;

	/* Longer with its socket it would not be charged for: see gro_live.bpf.c. */
	if (skb->sk || (const void *)skb->dev != dev || skb->vlan_all || checksum_state(skb) != checksum || is_gso(skb))
		return 0;
	/* Behind the Ethernet header, which the hook sees again (eth_type_trans(), sch_handle_ingress()). */
	if (network - skb->head != skb->mac_header + NETWORK_AT)
		return 0;
	if (bpf_probe_read_kernel(s->bytes, HEADER_MAX, network - NETWORK_AT))
		return 0;
	s->len = skb->len + NETWORK_AT;
	return segment_parse(s) && linear + NETWORK_AT >= s->header_len;
}

#endif
