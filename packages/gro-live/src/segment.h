/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One TCP segment: its headers as bytes, and whether they are of a kind that
 * may be merged. Refuses, as the kernel's GRO does, IPv4 options, fragments, IPv6
 * extension headers, a trailer, a wrong IPv4 checksum, and SYN, RST, URG, CWR.
 */
#ifndef GRO_LIVE_SEGMENT_H
#define GRO_LIVE_SEGMENT_H

#include "kfn/int.h"
#include "kfn/byteorder.h"
#include "kfn/checksum.h"
#include "kfn/ethernet.h"
#include "kfn/ip.h"
#include "kfn/ipv6.h"
#include "kfn/program.h"
#include "kfn/tcp.h"

#define NETWORK_AT 14
#define TCP_AT_IPV4 (NETWORK_AT + 20)
#define TCP_AT_IPV6 (NETWORK_AT + 40)
#define OPTIONS_MAX 40
#define HEADER_MIN (TCP_AT_IPV4 + 20)
#define HEADER_MAX (TCP_AT_IPV6 + 20 + OPTIONS_MAX)
#define HEADER_ROOM 120	/* whole words */

struct segment {
	__u8 bytes[HEADER_ROOM];	/* as many as there are, up to HEADER_MAX */
	__u32 len;			/* of the frame */
	__u32 header_len;
	__u32 payload_len;
	__u32 tcp_at;			/* TCP_AT_IPV4 or TCP_AT_IPV6 */
};

static __always_inline __u16 get16(const struct segment *s, __u32 at)
{
	__u16 value;

	__builtin_memcpy(&value, s->bytes + at, sizeof(value));
	return value;
}

static __always_inline __u32 get32(const struct segment *s, __u32 at)
{
	__u32 value;

	__builtin_memcpy(&value, s->bytes + at, sizeof(value));
	return value;
}

static __always_inline void put16(struct segment *s, __u32 at, __u16 value)
{
	__builtin_memcpy(s->bytes + at, &value, sizeof(value));
}

static __always_inline __u32 tcp_flags(const struct segment *s)
{
	return s->tcp_at == TCP_AT_IPV4 ? s->bytes[TCP_AT_IPV4 + 13] : s->bytes[TCP_AT_IPV6 + 13];
}

static __always_inline __u32 tcp_seq(const struct segment *s)
{
	return be32(s->tcp_at == TCP_AT_IPV4 ? get32(s, TCP_AT_IPV4 + 4) : get32(s, TCP_AT_IPV6 + 4));
}

/* Of the 16-bit words of an IPv4 header, its checksum among them, as they lie. */
static __always_inline __u16 ipv4_sum(const struct segment *s)
{
	__u64 sum = 0;

#pragma unroll
	for (__u32 i = 0; i < 20; i += 4)
		sum += get32(s, NETWORK_AT + i);
	return checksum_fold(sum);
}

static __always_inline int is_ipv4(const struct segment *s)
{
	return s->bytes[NETWORK_AT] == 0x45 && s->bytes[NETWORK_AT + 9] == IPPROTO_TCP &&
	       !(get16(s, NETWORK_AT + 6) & ~be16(0x4000)) &&
	       be16(get16(s, NETWORK_AT + 2)) == s->len - NETWORK_AT && ipv4_sum(s) == 0xffff;
}

static __always_inline int is_ipv6(const struct segment *s)
{
	return s->bytes[NETWORK_AT] >> 4 == 6 && s->bytes[NETWORK_AT + 6] == IPPROTO_TCP &&
	       be16(get16(s, NETWORK_AT + 4)) == s->len - TCP_AT_IPV6;
}

/* Takes bytes and len apart: 1, or 0 for what may not be merged. */
static __always_inline int segment_parse(struct segment *s)
{
	__u32 doff;

	if (s->len <= HEADER_MIN)
		return 0;
	if (get16(s, 12) == be16(ETH_P_IP) && is_ipv4(s)) {
		s->tcp_at = TCP_AT_IPV4;
		doff = s->bytes[TCP_AT_IPV4 + 12] >> 4;
	} else if (get16(s, 12) == be16(ETH_P_IPV6) && is_ipv6(s)) {
		s->tcp_at = TCP_AT_IPV6;
		doff = s->bytes[TCP_AT_IPV6 + 12] >> 4;
	} else {
		return 0;
	}
	s->header_len = s->tcp_at + 4 * doff;
	if (doff < TCP_DOFF_MIN || s->header_len >= s->len)
		return 0;
	s->payload_len = s->len - s->header_len;
	return (tcp_flags(s) & (TCP_ACK | TCP_SYN | TCP_RST | TCP_URG | TCP_CWR)) == TCP_ACK;
}

#endif
