/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The context that socket-buffer programs get, and the helpers they call.
 * Refuses to know any packet format.
 *
 * Mirrors struct __sk_buff and enum bpf_func_id of include/uapi/linux/bpf.h, up
 * to the last field that a flow dissector may read. A test that compiles a
 * program for the host puts its own file in this one's place.
 */
#ifndef KFN_SKB_H
#define KFN_SKB_H

#include "int.h"

struct bpf_flow_keys;

struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
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
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 data_meta;
	struct bpf_flow_keys *flow_keys __attribute__((aligned(8)));
};

_Static_assert(__builtin_offsetof(struct __sk_buff, data) == 76, "data at 76");
_Static_assert(__builtin_offsetof(struct __sk_buff, flow_keys) == 144, "flow_keys at 144");

/*
 * Copies len bytes at offset of the packet to the stack: 0, or negative and the
 * bytes zeroed when the packet does not have them. Reaches the non-linear part.
 * In a flow dissector it fails where the kernel has no skb (drivers that ask
 * for a header length): there data..data_end is all there is.
 */
static long (*const bpf_skb_load_bytes)(const void *skb, __u32 offset, void *to,
					__u32 len) = (void *)26;

#endif
