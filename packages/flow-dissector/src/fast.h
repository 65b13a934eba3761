/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Straight lines for what nearly every packet is: TCP or UDP, directly on IPv4
 * without options or on IPv6, all headers in the linear part. Refuses
 * everything else, and leaves the keys as they were when it does.
 */
#ifndef FLOW_DISSECTOR_FAST_H
#define FLOW_DISSECTOR_FAST_H

#include "kfn/byteorder.h"
#include "kfn/flow_keys.h"
#include "kfn/header.h"
#include "kfn/ip.h"
#include "kfn/ipv6.h"
#include "config.h"

struct ipv4_and_ports {
	struct iphdr ip;
	__be32 ports;
};

/* The size bytes at offset when they are linear, else NULL: header_at() without the helper. */
static __always_inline const void *
linear_at(const struct __sk_buff *skb, __u32 offset, const __u32 size)
{
	const void *at;

	if (unlikely(offset > KFN_PACKET_OFFSET_MAX - size))
		return NULL;
	KFN_OPAQUE(offset);
	at = (const void *)(long)skb->data + offset;
	if (unlikely(at + size > (const void *)(long)skb->data_end))
		return NULL;
	return at;
}

/* A UDP tunnel is for the long way, if there are any. */
static __always_inline int has_plain_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || (protocol == IPPROTO_UDP && !has_udp_tunnels());
}

/* True: done, and good. */
static __always_inline int fast_ipv4(struct __sk_buff *skb, struct bpf_flow_keys *keys)
{
	__u32 offset = keys->thoff;
	const struct ipv4_and_ports *at = linear_at(skb, offset, sizeof(*at));

	if (!at || (at->ip.version_ihl & IP_IHL) != IP_IHL_MIN ||
	    (at->ip.frag_off & be16(IP_MF | IP_OFFSET)) || !has_plain_ports(at->ip.protocol))
		return 0;
	keys->thoff = offset + sizeof(at->ip);
	keys->addr_proto = ETH_P_IP;
	keys->ip_proto = at->ip.protocol;
	keys->ipv4_src = at->ip.saddr;
	keys->ipv4_dst = at->ip.daddr;
	keys->ports = at->ports;
	return 1;
}

/* True: done, and good. */
static __always_inline int fast_ipv6(struct __sk_buff *skb, struct bpf_flow_keys *keys)
{
	__u32 offset = keys->thoff;
	/* No struct of both: packed, it would be read byte by byte; not packed, it would be 4 bytes longer. */
	const struct ipv6hdr *iph = linear_at(skb, offset, sizeof(*iph) + sizeof(keys->ports));
	__be32 label;

	if (!iph || !has_plain_ports(iph->nexthdr))
		return 0;
	keys->thoff = offset + sizeof(*iph);
	keys->addr_proto = ETH_P_IPV6;
	keys->ip_proto = iph->nexthdr;
	__builtin_memcpy(keys->ipv6_src, iph->saddr, sizeof(keys->ipv6_src));
	__builtin_memcpy(keys->ipv6_dst, iph->daddr, sizeof(keys->ipv6_dst));
	label = iph->version_class_label & be32(IPV6_FLOWLABEL);
	keys->flow_label = label;
	if (!label || !(keys->flags & BPF_FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL))
		keys->ports = *(const __be32 *)(iph + 1);
	return 1;
}

#endif
