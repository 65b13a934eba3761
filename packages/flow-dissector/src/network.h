/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IPv4, IPv6 and IPv6's extension headers. Refuses options: none decides what a
 * flow is.
 */
#ifndef FLOW_DISSECTOR_NETWORK_H
#define FLOW_DISSECTOR_NETWORK_H

#include "kfn/byteorder.h"
#include "kfn/ethernet.h"
#include "kfn/ip.h"
#include "kfn/ipv6.h"
#include "dissection.h"

/* A fragment: whether there is more to see is for the caller to say. */
static __always_inline enum step fragment(struct dissection *d, int first)
{
	d->keys->is_frag = 1;
	if (!first)
		return STEP_GOOD;
	d->keys->is_first_frag = 1;
	if (!(d->keys->flags & BPF_FLOW_DISSECTOR_F_PARSE_1ST_FRAG))
		return STEP_GOOD;
	return STEP_IP_PROTO;
}

/* IPv4, RFC 791. The version field is not looked at: the ethertype decides. */
static __always_inline enum step dissect_ipv4(struct dissection *d)
{
	struct bpf_flow_keys *keys = d->keys;
	const struct iphdr *iph;
	struct iphdr copy;
	__u8 ihl;

	iph = HEADER_AT(d->skb, d->offset, &copy);
	if (!iph)
		return STEP_BAD;
	/* CVE-2013-4348: a length of 0 made the C code loop on this header. */
	ihl = iph->version_ihl & IP_IHL;
	if (ihl < IP_IHL_MIN)
		return STEP_BAD;

	d->offset += ihl * 4;
	d->ip_proto = iph->protocol;

	if (keys->addr_proto == ETH_P_IPV6) {
		/* An outer address must not show behind the shorter inner one. */
		keys->ipv6_src[2] = 0;
		keys->ipv6_src[3] = 0;
		__builtin_memset(keys->ipv6_dst, 0, sizeof(keys->ipv6_dst));
	}
	keys->addr_proto = ETH_P_IP;
	keys->ipv4_src = iph->saddr;
	keys->ipv4_dst = iph->daddr;
	keys->ports = 0;	/* those of a UDP tunnel belong to the outer addresses */

	if (iph->frag_off & be16(IP_MF | IP_OFFSET))
		return fragment(d, !(iph->frag_off & be16(IP_OFFSET)));
	return STEP_IP_PROTO;
}

/* IPv6, RFC 8200; the flow label, RFC 6437. */
static __always_inline enum step dissect_ipv6(struct dissection *d)
{
	struct bpf_flow_keys *keys = d->keys;
	const struct ipv6hdr *iph;
	struct ipv6hdr copy;
	__be32 label;

	iph = HEADER_AT(d->skb, d->offset, &copy);
	if (!iph)
		return STEP_BAD;

	d->offset += sizeof(*iph);
	d->ip_proto = iph->nexthdr;

	keys->addr_proto = ETH_P_IPV6;
	__builtin_memcpy(keys->ipv6_src, iph->saddr, sizeof(keys->ipv6_src));
	__builtin_memcpy(keys->ipv6_dst, iph->daddr, sizeof(keys->ipv6_dst));
	keys->ports = 0;

	/* RFC 6437 section 2: 0 is no label, so an outer one stays. */
	label = iph->version_class_label & be32(IPV6_FLOWLABEL);
	if (label) {
		keys->flow_label = label;
		if (keys->flags & BPF_FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL)
			return STEP_GOOD;
	}
	return STEP_IP_PROTO;
}

/* IPv6 options and routes, RFC 8200 (hop-by-hop, destination, routing) and 8754 (segment routing). */
static __always_inline enum step dissect_ipv6_opt(struct dissection *d)
{
	const struct ipv6_opt_hdr *opt;
	struct ipv6_opt_hdr copy;

	/* In IPv4 these numbers are protocols without ports (0: reserved). */
	if (d->ethertype != be16(ETH_P_IPV6))
		return STEP_GOOD;

	opt = HEADER_AT(d->skb, d->offset, &copy);
	if (!opt)
		return STEP_BAD;

	d->offset += (opt->hdrlen + 1) * 8;
	d->ip_proto = opt->nexthdr;
	return STEP_IP_PROTO;
}

/* IPv6 fragment header, RFC 8200 section 4.5. */
static __always_inline enum step dissect_ipv6_frag(struct dissection *d)
{
	const struct frag_hdr *frag;
	struct frag_hdr copy;

	if (d->ethertype != be16(ETH_P_IPV6))
		return STEP_GOOD;

	frag = HEADER_AT(d->skb, d->offset, &copy);
	if (!frag)
		return STEP_BAD;

	d->offset += sizeof(*frag);
	d->ip_proto = frag->nexthdr;
	return fragment(d, !(frag->frag_off & be16(IP6_OFFSET)));
}

#endif
