/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What of Ethernet, IP and TCP is looked at, and the limits of net/core/gro.c.
 */
#ifndef GRO_HEADERS_H
#define GRO_HEADERS_H

#include "kfn/int.h"
#include "kfn/byteorder.h"
#include "batch.h"

#define ETH_LEN 14
#define IPV4_LEN 20
#define IPV6_LEN 40
#define TCP_LEN 20

#define GRO_ETH_IP 0x0800
#define GRO_ETH_IPV6 0x86dd
#define GRO_PROTO_TCP 6
#define GRO_HOP 0
#define GRO_ROUTING 43
#define GRO_DEST 60
#define GRO_EXTENSIONS 8	/* more do not fit into a head with a TCP header */

/* Of the word with data offset, flags and window. */
#define FLAG_FIN be32(0x00010000)
#define FLAG_SYN be32(0x00020000)
#define FLAG_RST be32(0x00040000)
#define FLAG_PSH be32(0x00080000)
#define FLAG_URG be32(0x00200000)
#define FLAG_CWR be32(0x00800000)

#define GRO_BUCKETS 8		/* GRO_HASH_BUCKETS */
#define GRO_CHAIN 8		/* MAX_GRO_SKBS */
#define GRO_LEGACY_MAX_SIZE 65536

/* Bytes of the frame from `offset` on: skb_gro_len(). */
static __always_inline __u32 rest(const struct gro_packet *packet, __u32 offset)
{
	return packet->len > offset ? packet->len - offset : 0;
}

static __always_inline int has(const struct gro_packet *packet, __u32 end)
{
	return end <= packet->len && end <= GRO_HEAD;
}

#endif
