/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stands in for packages/_include/kfn/sched_cls.h and kfn/map.h when the program
 * is compiled for the host: the same guards, included first. Refuses what the
 * kernel's helpers refuse; any of them can be made to fail.
 */
#ifndef KFN_SCHED_CLS_H
#define KFN_SCHED_CLS_H

#include "kfn/int.h"

#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2
#define TC_ACT_REDIRECT 7
#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17
#define BPF_HDR_START_NET 1
#define BPF_CSUM_LEVEL_QUERY 0
#define BPF_CSUM_LEVEL_INC 1
#define BPF_CSUM_LEVEL_DEC 2

#define TCP_ECN_MODE_RFC3168 0x01
#define TCP_ECN_MODE_ACCECN 0x10

struct bpf_tcp_sock {
	__u32 ecn_flags;
};

struct bpf_sock {
	__u32 family;
	__u32 protocol;
	int full;
	struct bpf_tcp_sock tcp;
};

struct __sk_buff {
	__u32 len;
	__u32 vlan_present;
	__u32 ifindex;
	__u32 gso_size;
	struct bpf_sock *sk;
	__u8 *bytes;		/* a heap block of len bytes, for ASan */
	__u32 network_at;
	int partial;
	int level;		/* of a finished checksum; -1: none */
};

__u32 bpf_get_smp_processor_id(void);
long bpf_skb_store_bytes(struct __sk_buff *skb, __u32 offset, const void *from, __u32 len, __u64 flags);
long bpf_clone_redirect(struct __sk_buff *skb, __u32 ifindex, __u64 flags);
long bpf_redirect(__u32 ifindex, __u64 flags);
long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 len);
long bpf_skb_change_tail(struct __sk_buff *skb, __u32 len, __u64 flags);
long bpf_skb_load_bytes_relative(const struct __sk_buff *skb, __u32 offset, void *to, __u32 len, __u32 start);
struct bpf_sock *bpf_sk_fullsock(struct bpf_sock *sk);
struct bpf_tcp_sock *bpf_tcp_sock(struct bpf_sock *sk);
long bpf_csum_level(struct __sk_buff *skb, __u64 level);
long bpf_loop(__u32 count, void *callback, void *context, __u64 flags);

int tso_egress(struct __sk_buff *skb);

#endif

#ifndef KFN_MAP_H
#define KFN_MAP_H

#define __uint(name, number) int (*name)[number]
#define __type(name, type) __typeof__(type) *name
#define BPF_MAP_TYPE_ARRAY 2
#define KFN_POSSIBLE_CPUS 0

#define bpf_map_lookup_elem(map, key) map_value(*(key), sizeof(*(map)->value))

/* A heap block of that size, for ASan. */
void *map_value(__u32 index, unsigned long size);

#endif
