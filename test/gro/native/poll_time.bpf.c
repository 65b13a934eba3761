// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Times the polls of one veth device for kernel_gro.c: from the first packet given
 * to GRO to the end of the poll, and what of it went into delivering: from where
 * the stack takes a packet to the next one given to GRO, or to the end. Refuses
 * other devices' polls.
 *
 * By tracepoints: programs on the kernel's functions may be forbidden.
 */
#include "kfn/int.h"
#include "kfn/map.h"
#include "kfn/program.h"

#define BPF_MAP_TYPE_RINGBUF 27

static __u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static long (*const bpf_ringbuf_output)(void *ringbuf, void *data, __u64 size, __u64 flags) = (void *)130;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

struct napi_struct {
	struct net_device *dev;
};

struct sk_buff {
	struct net_device *dev;
};
#pragma clang attribute pop

struct timing {
	__u32 ifindex, netns;	/* of which device */
	__u32 inside, packets;
	__u64 poll_start, delivery_start;
	__u64 delivery;
};

struct poll {
	__u64 whole, delivery;
	__u32 packets, zero;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timing);
} timing SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} polls SEC(".maps");

static __always_inline struct timing *the_timing(void)
{
	__u32 first = 0;

	return bpf_map_lookup_elem(&timing, &first);
}

static __always_inline int is_ours(const struct timing *t, const struct net_device *dev)
{
	return dev && (__u32)dev->ifindex == t->ifindex && dev->nd_net.net->ns.inum == t->netns;
}

/* A poll runs with softirqs off: what happens on its CPU meanwhile is its own. */
static __always_inline int is_inside(const struct timing *t)
{
	return t->inside == 1 + bpf_get_smp_processor_id();
}

static __always_inline void end_delivery(struct timing *t, __u64 now)
{
	if (t->delivery_start)
		t->delivery += now - t->delivery_start;
	t->delivery_start = 0;
}

SEC("tp_btf/napi_gro_receive_entry")
int packet_given(__u64 *arguments)
{
	__u64 now = bpf_ktime_get_ns();
	struct timing *t = the_timing();

	if (!t || !is_ours(t, ((struct sk_buff *)arguments[0])->dev))
		return 0;
	end_delivery(t, now);
	if (!t->packets++) {
		t->inside = 1 + bpf_get_smp_processor_id();
		t->delivery = 0;
		t->poll_start = now;
	}
	return 0;
}

SEC("tp_btf/netif_receive_skb")
int delivery_starts(__u64 *arguments)
{
	struct timing *t = the_timing();

	if (t && is_inside(t) && !t->delivery_start)
		t->delivery_start = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/napi_poll")
int poll_ends(__u64 *arguments)
{
	__u64 now = bpf_ktime_get_ns();
	struct timing *t = the_timing();
	struct poll poll = {};

	if (!t || !is_inside(t) || !is_ours(t, ((struct napi_struct *)arguments[0])->dev))
		return 0;
	end_delivery(t, now);
	poll.whole = now - t->poll_start;
	poll.delivery = t->delivery;
	poll.packets = t->packets;
	t->inside = t->packets = 0;
	bpf_ringbuf_output(&polls, &poll, sizeof(poll), 0);
	return 0;
}

KFN_LICENSE("Dual BSD/GPL");
