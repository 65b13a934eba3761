/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The end of the walk: ports, or what stands for them. Refuses to look behind
 * the first 4 bytes that tell flows apart.
 */
#ifndef FLOW_DISSECTOR_TRANSPORT_H
#define FLOW_DISSECTOR_TRANSPORT_H

#include "kfn/ip.h"
#include "dissection.h"

/*
 * The 4 bytes that tell flows of one protocol and two addresses apart, where a
 * protocol has them, as include/linux/in.h proto_ports_offset() has it: ports,
 * or the SPI of IPsec. Everything else (ICMP, ICMPv6, IGMP, L2TP, …) is a flow
 * by its addresses alone.
 */
static __always_inline void dissect_ports(struct dissection *d)
{
	__u32 offset = d->offset;
	const __be32 *ports;
	__be32 copy;

	switch (d->ip_proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
	case IPPROTO_ESP:
		break;
	case IPPROTO_AH:
		offset += 4;	/* RFC 4302 section 2: the SPI is the second word */
		break;
	default:
		return;
	}

	/* All fragments of a packet must be one flow, and only the first has ports. */
	if (d->keys->is_frag)
		return;

	ports = HEADER_AT(d->skb, offset, &copy);
	if (ports)
		d->keys->ports = *ports;
}

#endif
