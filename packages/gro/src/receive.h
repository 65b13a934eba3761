/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is done with one packet of a batch: dev_gro_receive() of net/core/gro.c,
 * inet_gro_receive(), ipv6_gro_receive() and tcp_gro_receive() with all that
 * they ask, in the kernel's order, as Linux 6.18 has them. Nothing here loops
 * over packets: gro_receive() asks its caller to find the flow between the two
 * halves, because BPF and the host loop differently.
 */
#ifndef GRO_RECEIVE_H
#define GRO_RECEIVE_H

#include "kfn/int.h"
#include "kfn/byteorder.h"
#include "batch.h"
#include "headers.h"
#include "complete.h"

/* The one's complement sum of an IPv4 header of 20 bytes; 0xffff if it is right. */
static __always_inline __u32 ipv4_sum(const struct gro_packet *packet)
{
	__u32 sum = 0;

	for (__u32 i = 0; i < IPV4_LEN; i += 2)
		sum += head16(packet, ETH_LEN + i);
	return checksum_fold(sum);
}

/* How a packet was taken in. */
enum gro_parsed {
	GRO_PARSED_NORMAL,	/* no protocol of ours, or not to be merged: goes on, touches no flow */
	GRO_PARSED_FLUSH,	/* is of a flow, ends what is held of it, and goes on */
	GRO_PARSED_MERGE,	/* may be merged or held */
	GRO_PARSED_BEYOND,	/* its headers go on behind the head: nothing can be said of the batch */
};

/* Why a header that ends at `end` is not there: the frame is too short, or the head is. */
static __always_inline enum gro_parsed beyond(const struct gro_packet *packet, __u32 end)
{
	return end <= packet->len ? GRO_PARSED_BEYOND : GRO_PARSED_NORMAL;
}

/* inet_gro_receive() up to the TCP header. */
static __always_inline enum gro_parsed parse_ipv4(struct gro_packet *packet)
{
	__be32 first = head32(packet, ETH_LEN);
	__be32 id = head32(packet, ETH_LEN + 4);

	if (!has(packet, ETH_LEN + IPV4_LEN) || head8(packet, ETH_LEN + 9) != IPPROTO_TCP)
		return GRO_PARSED_NORMAL;
	if (head8(packet, ETH_LEN) != 0x45)
		return GRO_PARSED_NORMAL;
	if (id & be32(0x3fff))	/* MF and the offset: ip_is_fragment() */
		return GRO_PARSED_NORMAL;
	if (ipv4_sum(packet) != 0xffff)
		return GRO_PARSED_NORMAL;
	packet->transport = ETH_LEN + IPV4_LEN;
	if ((be32(first) & 0xffff) != rest(packet, ETH_LEN) || (id & be32(0x8000)))
		return GRO_PARSED_FLUSH;
	return GRO_PARSED_MERGE;
}

/* ipv6_gro_receive() and ipv6_gro_pull_exthdrs() up to the TCP header. */
static __always_inline enum gro_parsed parse_ipv6(struct gro_packet *packet)
{
	__u32 offset = ETH_LEN + IPV6_LEN;
	__u32 proto = head8(packet, ETH_LEN + 6);

	if (!has(packet, ETH_LEN + IPV6_LEN))
		return GRO_PARSED_NORMAL;
	for (int i = 0; i < GRO_EXTENSIONS; i++) {
		__u32 length;

		if (proto != NEXTHDR_HOP && proto != NEXTHDR_ROUTING && proto != NEXTHDR_DEST)
			break;
		if (!has(packet, offset + 8))
			return beyond(packet, offset + 8);
		length = (head8(packet, offset + 1) + 1) * 8;
		if (!has(packet, offset + length))
			return beyond(packet, offset + length);
		proto = head8(packet, offset);
		offset += length;
	}
	if (proto != IPPROTO_TCP)
		return GRO_PARSED_NORMAL;
	packet->transport = offset;
	if (be16(head16(packet, ETH_LEN + 4)) != rest(packet, ETH_LEN + IPV6_LEN))
		return GRO_PARSED_FLUSH;
	return GRO_PARSED_MERGE;
}

/*
 * Where the headers are and whether the packet may take part. A packet whose
 * checksum is wrong goes on and ends nothing; one whose IP length is wrong is
 * not summed at all, and ends what is held of its flow.
 */
static __always_inline enum gro_parsed gro_parse(struct gro_packet *packet)
{
	enum gro_parsed parsed = GRO_PARSED_NORMAL;
	__be16 type = head16(packet, 12);
	__u32 length;

	if (!has(packet, ETH_LEN))
		return GRO_PARSED_NORMAL;
	if (type == be16(ETH_P_IP))
		parsed = parse_ipv4(packet);
	else if (type == be16(ETH_P_IPV6))
		parsed = parse_ipv6(packet);
	if (parsed == GRO_PARSED_NORMAL || parsed == GRO_PARSED_BEYOND)
		return parsed;
	if (parsed == GRO_PARSED_MERGE && packet->csum != GRO_CSUM_GOOD)
		return GRO_PARSED_NORMAL;
	if (!has(packet, packet->transport + TCP_LEN))
		return beyond(packet, packet->transport + TCP_LEN);
	length = (head8(packet, packet->transport + 12) >> 4) * 4;
	if (length < TCP_LEN)
		return GRO_PARSED_NORMAL;
	if (!has(packet, packet->transport + length))
		return beyond(packet, packet->transport + length);
	packet->payload = packet->transport + length;
	return parsed;
}

/* inet_gro_receive() and ipv6_gro_receive() on a held packet. */
static __always_inline __u32 network_differs(const struct gro_packet *held, const struct gro_packet *packet)
{
	__u32 differ = 0;

	if (head16(packet, 12) == be16(ETH_P_IP)) {
		differ |= head8(held, ETH_LEN + 9) ^ head8(packet, ETH_LEN + 9);
		differ |= head32(held, ETH_LEN + 12) ^ head32(packet, ETH_LEN + 12);
		return differ | (head32(held, ETH_LEN + 16) ^ head32(packet, ETH_LEN + 16));
	}
	/* Version and flow label here; the traffic class is looked at with the hop limit. */
	differ |= (head32(held, ETH_LEN) ^ head32(packet, ETH_LEN)) & be32(0xf00fffff);
	differ |= head8(held, ETH_LEN + 6) ^ head8(packet, ETH_LEN + 6);
	for (__u32 i = 8; i < IPV6_LEN; i += 4)
		differ |= head32(held, ETH_LEN + i) ^ head32(packet, ETH_LEN + i);
	for (__u32 i = ETH_LEN + IPV6_LEN; i < GRO_HEAD - TCP_LEN; i += 2) {
		if (i >= packet->transport)
			break;
		differ |= head16(held, i) ^ head16(packet, i);
	}
	return differ;
}

/* gro_list_prepare(), the network layer's comparison and tcp_gro_lookup(). */
static __always_inline int gro_same_flow(const struct gro_packet *held, const struct gro_packet *packet)
{
	__u32 differ = (held->hash ^ packet->hash) | (held->vlan ^ packet->vlan);

	if (held->state != GRO_STATE_HELD || differ)
		return 0;
	for (__u32 i = 0; i < ETH_LEN; i += 2)
		differ |= head16(held, i) ^ head16(packet, i);
	if (differ || network_differs(held, packet))
		return 0;
	return head32(held, packet->transport) == head32(packet, packet->transport);
}

/* inet_gro_flush() */
static __always_inline __u32 ipv4_flush(struct gro_packet *held, const struct gro_packet *packet)
{
	__u32 id = be32(head32(packet, ETH_LEN + 4)), id2 = be32(head32(held, ETH_LEN + 4));
	__u32 step = ((id >> 16) - (id2 >> 16)) & 0xffff;

	if (head8(packet, ETH_LEN + 8) != head8(held, ETH_LEN + 8) ||
	    head8(packet, ETH_LEN + 1) != head8(held, ETH_LEN + 1) || ((id ^ id2) & 0x4000))
		return 1;
	/* The second packet decides whether the flow's ID is fixed or counts. */
	if (held->count == 1 && !step)
		held->fixedid = 1;
	return step != (held->fixedid ? 0 : held->count);
}

/* ipv6_gro_flush(): traffic class and hop limit. */
static __always_inline __u32 ipv6_flush(const struct gro_packet *held, const struct gro_packet *packet)
{
	return ((head32(held, ETH_LEN) ^ head32(packet, ETH_LEN)) & be32(0x0ff00000)) ||
	       head8(held, ETH_LEN + 7) != head8(packet, ETH_LEN + 7);
}

/* Whether the packet may not follow what is held of its flow. */
static __always_inline __u32 tcp_flush(struct gro_packet *held, const struct gro_packet *packet)
{
	__u32 th = packet->transport, th2 = held->transport, len = rest(packet, packet->payload);
	__be32 flags = head32(packet, th + 12);
	__u32 flush = flags & FLAG(TCP_CWR);

	/* Data offset and window are in this word, too. */
	flush |= (flags ^ head32(held, th2 + 12)) & ~FLAG(TCP_FIN | TCP_PSH);
	flush |= head32(packet, th + 8) ^ head32(held, th2 + 8);
	for (__u32 i = TCP_LEN; i < 60; i += 4) {
		if (th + i >= packet->payload)
			break;
		flush |= head32(packet, th + i) ^ head32(held, th2 + i);
	}
	if (head16(packet, 12) == be16(ETH_P_IP))
		flush |= ipv4_flush(held, packet);
	else
		flush |= ipv6_flush(held, packet);
	flush |= len - 1 >= held->mss;	/* of nothing, too */
	flush |= (be32(head32(held, th2 + 4)) + rest(held, held->payload)) ^ be32(head32(packet, th + 4));
	return flush;
}

/* skb_gro_receive(): the kernel's lengths start at the network header. */
static __always_inline int too_large(const struct gro_batch *batch, const struct gro_packet *held, __u32 len)
{
	__u32 max = head16(held, 12) == be16(ETH_P_IP) ? batch->ipv4_max_size : batch->max_size;
	__u32 size = held->len - ETH_LEN + len;

	return size >= max || size >= GRO_LEGACY_MAX_SIZE;
}

static __always_inline void add_flags(struct gro_packet *held, const struct gro_packet *packet)
{
	__u8 flags = head8(packet, packet->transport + 13) & (TCP_FIN | TCP_PSH);

	held->head[(held->transport + 13) % GRO_HEAD] |= flags;
}

/*
 * A packet of which gro_parse() said `parsed`, and the held packet of its flow
 * if there is one. Leaves the packet MERGED, NORMAL or HELD; says whether it is
 * to be held, which the caller does after making room.
 */
static __always_inline int gro_receive(struct gro_batch *batch, struct gro_packet *packet,
				       enum gro_parsed parsed, struct gro_packet *held, __u32 held_index)
{
	__u32 len = rest(packet, packet->payload), mss = 1, ends;
	__be32 flags = head32(packet, packet->transport + 12);
	int merged = 0;

	if (held) {
		__u32 flush = tcp_flush(held, packet);

		if (!flush && parsed == GRO_PARSED_MERGE && !too_large(batch, held, len)) {
			mss = held->mss;
			merged = 1;
			add_flags(held, packet);
			held->len += len;
			held->count++;
			packet->into = held_index;
			packet->state = GRO_STATE_MERGED;
		}
	}
	ends = len < mss || (flags & (FLAG(TCP_URG | TCP_PSH | TCP_RST | TCP_SYN | TCP_FIN)));
	if (held && (!merged || ends))
		gro_deliver(batch, held, GRO_STATE_COMPLETE);
	if (merged)
		return 0;
	if (ends || parsed == GRO_PARSED_FLUSH) {
		gro_deliver(batch, packet, GRO_STATE_NORMAL);
		return 0;
	}
	return 1;
}

/* What a caller left in the fields of the answer is not looked at. */
static __always_inline void gro_reset(struct gro_packet *packet)
{
	packet->state = GRO_STATE_NONE;
	packet->into = packet->order = packet->count = packet->gso = 0;
	packet->transport = packet->fixedid = 0;
	packet->gso_size = packet->payload = 0;
	packet->zero = packet->mss = 0;
}

static __always_inline void gro_hold(struct gro_packet *packet)
{
	packet->state = GRO_STATE_HELD;
	packet->count = 1;
	packet->mss = rest(packet, packet->payload);
}

#endif
