/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The headers of a superpacket's segments, as tcp_gso_segment(),
 * inet_gso_segment() and ipv6_gso_segment() of Linux make them. Refuses to
 * touch a byte of Ethernet, addresses, ports, options or payload.
 *
 * Nothing here knows BPF: the same C runs on the host (test/tso).
 */
#ifndef TSO_SEGMENT_H
#define TSO_SEGMENT_H

#include "kfn/checksum.h"
#include "superpacket.h"

/* What every segment but the last begins with; those differ in what number_header() writes. */
struct header {
	__u8 bytes[HEADER_MAX];
};

/*
 * The checksum of a CHECKSUM_PARTIAL packet is the pseudo header's sum, with the
 * length of the TCP packet as one of its words: it changes by what the lengths
 * differ by (RFC 1624), whatever the sender had put there.
 */
static __always_inline __u16 tcp_check(const struct superpacket *p, __u32 payload_len)
{
	__u32 difference = ~p->payload_len + payload_len;

	return checksum_fold((__u64)p->tcp_check + difference);
}

/* Lengths, and checksums as far as they are those of every segment of that length. */
static __always_inline void size_header(struct header *header, const struct superpacket *p, __u32 payload_len)
{
	__u32 len = p->header_len - NETWORK_AT + payload_len;
	struct ipv6hdr *ipv6 = (void *)(header->bytes + NETWORK_AT);
	struct iphdr *ipv4 = (void *)(header->bytes + NETWORK_AT);

	if (p->is_ipv6) {
		struct tcphdr *tcp = (void *)(header->bytes + TCP_AT_IPV6);

		ipv6->payload_len = be16(len - sizeof(*ipv6));
		tcp->check = be16(tcp_check(p, payload_len));
	} else {
		struct tcphdr *tcp = (void *)(header->bytes + TCP_AT_IPV4);

		ipv4->tot_len = be16(len);
		tcp->check = be16(tcp_check(p, payload_len));
	}
}

/* FIN and PSH are the last segment's, CWR may be the first's. */
static __always_inline void clear_flags(struct header *header, const struct superpacket *p, __u8 clear)
{
	struct tcphdr *tcp = (void *)(header->bytes + (p->is_ipv6 ? TCP_AT_IPV6 : TCP_AT_IPV4));

	tcp->flags &= ~clear;
}

/* What tells the segments apart: sequence number, first_flags and, in IPv4, id and checksum. */
static __always_inline void number_header(struct header *header, const struct superpacket *p, __u32 index)
{
	__be32 seq = be32(p->seq + index * p->mss);
	struct iphdr *ipv4 = (void *)(header->bytes + NETWORK_AT);

	if (index)
		clear_flags(header, p, p->first_flags);
	if (p->is_ipv6) {
		((struct tcphdr *)(header->bytes + TCP_AT_IPV6))->seq = seq;
	} else {
		__u16 id = p->id + index;

		ipv4->id = be16(id);
		ipv4->check = be16((__u16)~checksum_fold((__u64)p->ip_sum + be16(ipv4->tot_len) + id));
		((struct tcphdr *)(header->bytes + TCP_AT_IPV4))->seq = seq;
	}
}

#endif
