/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What of Ethernet, IP and TCP is looked at, and the limits of net/core/gro.c.
 */
#ifndef GRO_HEADERS_H
#define GRO_HEADERS_H

#include "kfn/byteorder.h"
#include "kfn/ethernet.h"
#include "kfn/int.h"
#include "kfn/ip.h"
#include "kfn/ipv6.h"
#include "kfn/program.h"
#include "kfn/tcp.h"
#include "batch.h"

/* Of 32 bits, as all that is counted here. */
#define ETH_LEN ((__u32)sizeof(struct ethhdr))
#define IPV4_LEN ((__u32)sizeof(struct iphdr))
#define IPV6_LEN ((__u32)sizeof(struct ipv6hdr))
#define TCP_LEN ((__u32)sizeof(struct tcphdr))

#define GRO_EXTENSIONS 8	/* more do not fit into a head with a TCP header */

/* A flag in the word with data offset, flags and window. */
#define FLAG(flag) be32((flag) << 16)

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
