/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The context that a program of traffic control gets, and the helpers it may
 * call. Refuses to know any packet format; and to be read with skb.h, which
 * shows flow dissectors less of the same structure.
 *
 * Mirrors struct __sk_buff, struct bpf_sock and struct bpf_tcp_sock (their beginnings) and enum
 * bpf_func_id of include/uapi/linux/bpf.h, and enum tcx_action_base. A test
 * that compiles a program for the host puts its own file in this one's place.
 */
#ifndef KFN_SCHED_CLS_H
#define KFN_SCHED_CLS_H

#include "int.h"

struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
};

struct bpf_tcp_sock {
	__u32 unread[8];	/* snd_cwnd to mss_cache */
	__u32 ecn_flags;	/* include/net/tcp.h, TCP_ECN_… */
};

_Static_assert(__builtin_offsetof(struct bpf_tcp_sock, ecn_flags) == 32, "ecn_flags at 32");

struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;		/* an ethertype, network byte order */
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
	__u32 napi_id;
	__u32 unreadable[13];	/* from family on: not for this type of program */
	__u32 data_meta;
	__u64 flow_keys;
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	struct bpf_sock *sk __attribute__((aligned(8)));
	__u32 gso_size;
};

_Static_assert(__builtin_offsetof(struct __sk_buff, data) == 76, "data at 76");
_Static_assert(__builtin_offsetof(struct __sk_buff, flow_keys) == 144, "flow_keys at 144");
_Static_assert(__builtin_offsetof(struct __sk_buff, sk) == 168, "sk at 168");
_Static_assert(__builtin_offsetof(struct __sk_buff, gso_size) == 176, "gso_size at 176");

/* Go on with the next program of the hook, or with the packet after the last. */
#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2

/* include/linux/socket.h */
#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17

/*
 * include/net/tcp.h: how a connection uses ECN. Both: AccECN is being negotiated.
 * Until Linux 6.16 the first is called TCP_ECN_OK, and the second is never set.
 */
#define TCP_ECN_MODE_RFC3168 0x01
#define TCP_ECN_MODE_ACCECN 0x10

#define BPF_HDR_START_NET 1	/* enum bpf_hdr_start_off: offsets count from the network header */
#define BPF_CSUM_LEVEL_QUERY 0	/* enum: of bpf_csum_level() */
#define BPF_CSUM_LEVEL_INC 1
#define BPF_CSUM_LEVEL_DEC 2

/* Writes len bytes at offset; un-shares and linearises the packet as far as that: 0, or negative and nothing written. */
static long (*const bpf_skb_store_bytes)(struct __sk_buff *skb, __u32 offset, const void *from,
					 __u32 len, __u64 flags) = (void *)9;

/* Sends a clone to a device's egress, or its ingress; the packet itself then has its linear part for itself. */
static long (*const bpf_clone_redirect)(struct __sk_buff *skb, __u32 ifindex, __u64 flags) = (void *)13;

/* To be returned: the packet starts anew at a device's egress, or its ingress. */
static long (*const bpf_redirect)(__u32 ifindex, __u64 flags) = (void *)23;

/* Copies len bytes at offset, linear or not: 0, or negative and the bytes zeroed. */
static long (*const bpf_skb_load_bytes)(const void *skb, __u32 offset, void *to, __u32 len) = (void *)26;

/* Makes the packet len bytes long, linear and no GSO packet any more: 0, or negative and its bytes as they were. */
static long (*const bpf_skb_change_tail)(struct __sk_buff *skb, __u32 len, __u64 flags) = (void *)38;

static long (*const bpf_skb_load_bytes_relative)(const void *skb, __u32 offset, void *to, __u32 len,
						 __u32 start_header) = (void *)68;

static struct bpf_sock *(*const bpf_sk_fullsock)(struct bpf_sock *sk) = (void *)95;

/* What TCP knows of a full socket of its own; of any other NULL. */
static struct bpf_tcp_sock *(*const bpf_tcp_sock)(struct bpf_sock *sk) = (void *)96;

/* The level to which a checksum is known to be good: asks (negative where none is), or changes it, or does nothing. */
static long (*const bpf_csum_level)(struct __sk_buff *skb, __u64 level) = (void *)135;

/* Calls callback(index, context) count times, or until it gives 1. Linux 5.17. */
static long (*const bpf_loop)(__u32 count, void *callback, void *context, __u64 flags) = (void *)181;

#endif
