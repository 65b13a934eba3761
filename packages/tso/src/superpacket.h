/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a superpacket is made of, read from its bytes. Refuses whatever is not
 * plain TCP on IPv4 or IPv6 on Ethernet: that is the kernel's own GSO's.
 *
 * Nothing here knows BPF: the same C runs on the host (test/tso).
 */
#ifndef TSO_SUPERPACKET_H
#define TSO_SUPERPACKET_H

#include "kfn/byteorder.h"
#include "kfn/ethernet.h"
#include "kfn/int.h"
#include "kfn/ip.h"
#include "kfn/ipv6.h"
#include "kfn/program.h"
#include "kfn/tcp.h"

#define NETWORK_AT sizeof(struct ethhdr)
#define TCP_AT_IPV4 (NETWORK_AT + sizeof(struct iphdr))
#define TCP_AT_IPV6 (NETWORK_AT + sizeof(struct ipv6hdr))

/* RFC 9293 section 3.1: 4 bits of words of 4 bytes. */
#define TCP_HEADER_MAX 60
#define HEADER_MAX (TCP_AT_IPV6 + TCP_HEADER_MAX)
#define HEADER_MIN (TCP_AT_IPV4 + sizeof(struct tcphdr))

/* Without BIG TCP the IP packet has a length of 16 bits. */
#define SUPERPACKET_MAX (TCP_AT_IPV6 + 0xffff)

/*
 * bpf_skb_change_tail() takes no more (net/core/filter.c, BPF_SKB_MAX_LEN; less
 * where pages are of 4 KiB, which it then says itself).
 */
#define SEGMENT_MAX 0x4000

struct superpacket {
	__u32 tcp_at;
	__u32 header_len;	/* Ethernet to TCP with options */
	__u32 payload_len;
	__u32 mss;		/* bytes of payload in every segment but the last */
	__u32 segments;
	__u32 ip_sum;		/* IPv4: of its header's words but length, id and checksum */
	__u32 seq;		/* host byte order, as those below */
	__u16 id;
	__u16 tcp_check;	/* as it stands there: a pseudo header's sum */
	__u32 is_ipv6;
	__u32 flags;		/* of TCP */
	__u32 first_flags;	/* those of them that only the first segment has; superpacket_read() says none */
};

/* The words of an IPv4 header without options that are the same in every segment. */
static __always_inline __u32 ip_sum(const struct iphdr *ip)
{
	return be16((__u16)(ip->version_ihl | ip->tos << 8)) + be16(ip->frag_off) +
	       be16((__u16)(ip->ttl | ip->protocol << 8)) + be16((__u16)ip->saddr) +
	       be16((__u16)(ip->saddr >> 16)) + be16((__u16)ip->daddr) + be16((__u16)(ip->daddr >> 16));
}

/* RFC 791: no options, no fragment, and the length that the packet has. */
static __always_inline int read_ipv4(struct superpacket *p, const struct iphdr *ip, __u32 len)
{
	if (ip->version_ihl != (4 << 4 | IP_IHL_MIN) || ip->protocol != IPPROTO_TCP)
		return 0;
	if (ip->frag_off & be16(IP_MF | IP_OFFSET) || be16(ip->tot_len) != len - NETWORK_AT)
		return 0;
	p->is_ipv6 = 0;
	p->tcp_at = TCP_AT_IPV4;
	p->id = be16(ip->id);
	p->ip_sum = ip_sum(ip);
	return 1;
}

/* RFC 8200: no extension headers, and the length that the packet has. */
static __always_inline int read_ipv6(struct superpacket *p, const struct ipv6hdr *ip, __u32 len)
{
	if ((ip->version_class_label & be32(0xf0000000)) != be32(0x60000000) || ip->nexthdr != IPPROTO_TCP)
		return 0;
	if (be16(ip->payload_len) != len - TCP_AT_IPV6)
		return 0;
	p->is_ipv6 = 1;
	p->tcp_at = TCP_AT_IPV6;
	p->id = 0;
	p->ip_sum = 0;
	return 1;
}

/* SYN and RST have no payload to segment. */
static __always_inline int read_tcp(struct superpacket *p, const struct tcphdr *tcp, __u32 len)
{
	__u32 words = tcp->doff_res >> 4;

	if (words < TCP_DOFF_MIN || tcp->flags & (TCP_SYN | TCP_RST))
		return 0;
	p->header_len = p->tcp_at + 4 * words;
	if (len <= p->header_len)
		return 0;
	p->payload_len = len - p->header_len;
	p->seq = be32(tcp->seq);
	p->tcp_check = be16(tcp->check);
	p->flags = tcp->flags;
	p->first_flags = 0;
	return 1;
}

/*
 * superpacket_read() - fills p from a packet of len bytes whose gso_size is mss.
 * Bounds: bytes has HEADER_MAX of them, those behind the packet's end of any
 * value. Byte order: the packet's network, p's host. Result: 1, or 0 where the
 * packet is not for us; p is then of no use.
 */
static __always_inline int superpacket_read(struct superpacket *p, const __u8 *bytes, __u32 len, __u32 mss)
{
	const struct ethhdr *ethernet = (const void *)bytes;
	int is_ip = 0;

	if (len < HEADER_MIN || len > SUPERPACKET_MAX || !mss)
		return 0;
	if (ethernet->h_proto == be16(ETH_P_IP))
		is_ip = read_ipv4(p, (const void *)(bytes + NETWORK_AT), len);
	else if (ethernet->h_proto == be16(ETH_P_IPV6))
		is_ip = read_ipv6(p, (const void *)(bytes + NETWORK_AT), len);
	if (!is_ip || !read_tcp(p, (const void *)(bytes + p->tcp_at), len))
		return 0;
	if (p->payload_len <= mss || mss > SEGMENT_MAX - HEADER_MAX)
		return 0;
	p->mss = mss;
	p->segments = (p->payload_len + mss - 1) / mss;
	return 1;
}

#endif
