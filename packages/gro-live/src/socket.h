/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looking for the connection that a TCP segment belongs to. Refuses to read more
 * of it than its state.
 *
 * Mirrors struct bpf_sock_tuple, struct bpf_sock and the helpers of
 * include/uapi/linux/bpf.h; enum of include/net/tcp_states.h.
 */
#ifndef GRO_LIVE_SOCKET_H
#define GRO_LIVE_SOCKET_H

#include "kfn/int.h"
#include "kfn/sched_cls.h"

/* As they lie in the packet. */
union address_pair {
	struct {
		__be32 addresses[2];
		__be16 ports[2];
	} ipv4;
	struct {
		__be32 addresses[8];
		__be16 ports[2];
	} ipv6;
};

_Static_assert(sizeof(((union address_pair *)0)->ipv4) == 12, "the length says that it is IPv4");
_Static_assert(sizeof(((union address_pair *)0)->ipv6) == 36, "the length says that it is IPv6");

/* struct bpf_sock as far as its state. */
struct connection {
	__u32 unread[18];
	__u32 state;
};

#define BPF_F_CURRENT_NETNS (~0ULL)	/* of the packet's device */
#define BPF_TCP_ESTABLISHED 1
#define PACKET_HOST 0			/* include/uapi/linux/if_packet.h */

/* A full socket or a listening one, held until it is released; or NULL. */
static struct connection *(*const bpf_sk_lookup_tcp)(struct __sk_buff *skb, const void *addresses, __u32 size,
						     __u64 netns, __u64 flags) = (void *)84;
static long (*const bpf_sk_release)(struct connection *sk) = (void *)86;

#endif
