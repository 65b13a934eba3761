/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IPv4 (RFC 791) and the protocol numbers that both IP versions share. Refuses
 * options: no function so far reads any.
 */
#ifndef KFN_IP_H
#define KFN_IP_H

#include "int.h"

/* RFC 791 section 3.1; every field in network byte order. */
struct iphdr {
	__u8 version_ihl;
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	__u8 ttl;
	__u8 protocol;
	__be16 check;
	__be32 saddr;
	__be32 daddr;
};

_Static_assert(sizeof(struct iphdr) == 20, "an IPv4 header has 20 bytes before options");

#define IP_IHL 0x0f	/* of version_ihl: header length in words of 4 bytes */
#define IP_IHL_MIN 5	/* RFC 791 section 3.1: "the minimum value [...] is 5" */
#define IP_MF 0x2000	/* of frag_off: more fragments */
#define IP_OFFSET 0x1fff	/* of frag_off: fragment offset in units of 8 bytes */

/* IANA "Protocol Numbers"; include/uapi/linux/in.h. */
#define IPPROTO_IPIP 4		/* RFC 2003 */
#define IPPROTO_TCP 6		/* RFC 9293 */
#define IPPROTO_UDP 17		/* RFC 768 */
#define IPPROTO_DCCP 33		/* RFC 4340 */
#define IPPROTO_IPV6 41		/* RFC 2473, RFC 4213 */
#define IPPROTO_GRE 47		/* RFC 2784 */
#define IPPROTO_ESP 50		/* RFC 4303 */
#define IPPROTO_AH 51		/* RFC 4302 */
#define IPPROTO_SCTP 132	/* RFC 9260 */
#define IPPROTO_UDPLITE 136	/* RFC 3828 */
#define IPPROTO_MPLS 137	/* RFC 4023 */

#endif
