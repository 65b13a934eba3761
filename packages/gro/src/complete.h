/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The header of what is delivered: inet_gro_complete(), ipv6_gro_complete()
 * and tcp_gro_complete() with tcp4_gro_complete(), tcp6_gro_complete(). What
 * was not merged keeps every byte. The TCP checksum of what was merged is the
 * sum of the pseudo header, not complemented, for a device or a later segmentation
 * to finish (CHECKSUM_PARTIAL).
 */
#ifndef GRO_COMPLETE_H
#define GRO_COMPLETE_H

#include "kfn/int.h"
#include "kfn/byteorder.h"
#include "kfn/checksum.h"
#include "batch.h"
#include "headers.h"

static __always_inline void complete_ipv4(struct gro_packet *packet)
{
	__u32 nh = ETH_LEN;
	__u32 old = head16(packet, nh + 2), sum = ~head16(packet, nh + 10) & 0xffff;
	__be16 total = be16(rest(packet, nh));

	/* csum_replace2() */
	sum = checksum_fold(sum + (~old & 0xffff) + total);
	set_head16(packet, nh + 2, total);
	set_head16(packet, nh + 10, ~sum & 0xffff);

	sum = head16(packet, nh + 12) + head16(packet, nh + 14) + head16(packet, nh + 16) + head16(packet, nh + 18);
	sum += be16(IPPROTO_TCP) + be16(rest(packet, packet->transport));
	set_head16(packet, packet->transport + 16, checksum_fold(sum));
	packet->gso = GRO_GSO_TCPV4 | (packet->fixedid ? GRO_GSO_FIXEDID : 0);
}

static __always_inline void complete_ipv6(struct gro_packet *packet)
{
	__u32 sum = be16(IPPROTO_TCP) + be16(rest(packet, packet->transport));

	for (__u32 i = 8; i < IPV6_LEN; i += 2)
		sum += head16(packet, ETH_LEN + i);
	set_head16(packet, ETH_LEN + 4, be16(rest(packet, ETH_LEN + IPV6_LEN)));
	set_head16(packet, packet->transport + 16, checksum_fold(sum));
	packet->gso = GRO_GSO_TCPV6;
}

/* Sends a packet on, now: `order` says when. */
static __always_inline void gro_deliver(struct gro_batch *batch, struct gro_packet *packet, enum gro_state state)
{
	packet->state = state;
	packet->order = batch->delivered++;
	if (state != GRO_STATE_COMPLETE || packet->count <= 1)
		return;
	if (head16(packet, 12) == be16(ETH_P_IP))
		complete_ipv4(packet);
	else
		complete_ipv6(packet);
	if (head32(packet, packet->transport + 12) & FLAG(TCP_CWR))
		packet->gso |= GRO_GSO_ACCECN;
	packet->gso_size = packet->mss;
}

#endif
