// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Watches TCP with ECN on a device that is both ends: notes superpackets with CWR
 * as they come to be segmented, and all segments as they arrive; marks one packet
 * in 50 as having met congestion. Refuses to change anything else.
 */
#include "kfn/byteorder.h"
#include "kfn/ethernet.h"
#include "kfn/int.h"
#include "kfn/ip.h"
#include "kfn/map.h"
#include "kfn/sched_cls.h"
#include "kfn/tcp.h"

#define BPF_MAP_TYPE_RINGBUF 27
#define MARK_EVERY 50
#define TCP_AT (sizeof(struct ethhdr) + sizeof(struct iphdr))

static long (*const bpf_skb_ecn_set_ce)(struct __sk_buff *skb) = (void *)97;
static long (*const bpf_ringbuf_output)(void *ringbuf, void *data, __u64 size, __u64 flags) = (void *)130;

struct seen {
	__u32 superpacket, seq, len, flags;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} arrived SEC(".maps");

/* IPv4 without options, as TCP sends it. */
static __always_inline int read(struct __sk_buff *skb, struct seen *s)
{
	struct tcphdr tcp;

	if (skb->protocol != be16(ETH_P_IP) || bpf_skb_load_bytes(skb, TCP_AT, &tcp, sizeof(tcp)))
		return 0;
	s->superpacket = skb->gso_size;
	s->seq = be32(tcp.seq);
	s->len = skb->len - TCP_AT - 4 * (tcp.doff_res >> 4);
	s->flags = tcp.flags;
	return 1;
}

SEC("tc/leave")
int leave(struct __sk_buff *skb)
{
	struct seen s;

	if (skb->gso_size && read(skb, &s) && s.flags & TCP_CWR)
		bpf_ringbuf_output(&seen, &s, sizeof(s), 0);
	return TC_ACT_UNSPEC;
}

SEC("tc/arrive")
int arrive(struct __sk_buff *skb)
{
	__u32 first = 0, *count = bpf_map_lookup_elem(&arrived, &first);
	struct seen s;

	if (!read(skb, &s))
		return TC_ACT_UNSPEC;
	if (s.len)
		bpf_ringbuf_output(&seen, &s, sizeof(s), 0);
	if (count && !(++*count % MARK_EVERY))
		bpf_skb_ecn_set_ce(skb);
	return TC_ACT_UNSPEC;
}

KFN_LICENSE("Dual BSD/GPL");
