/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IP protocols that carry another packet: IP in IP, GRE and PPTP, MPLS in IP.
 * Refuses source routes and versions that nobody defined.
 */
#ifndef FLOW_DISSECTOR_TUNNEL_H
#define FLOW_DISSECTOR_TUNNEL_H

#include "kfn/byteorder.h"
#include "kfn/ethernet.h"
#include "kfn/gre.h"
#include "kfn/pppoe.h"
#include "dissection.h"

/* IPv4 in IP, RFC 2003 and 2473. */
static __always_inline enum step dissect_ipip(struct dissection *d)
{
	d->ethertype = be16(ETH_P_IP);
	return encapsulated(d, STEP_ETHERTYPE);
}

/* IPv6 in IP, RFC 4213 and 2473. */
static __always_inline enum step dissect_ip6ip(struct dissection *d)
{
	d->ethertype = be16(ETH_P_IPV6);
	return encapsulated(d, STEP_ETHERTYPE);
}

/* An Ethernet frame inside of a tunnel: its type is the next, its addresses are nobody's flow. */
static __always_inline int inner_ethernet(struct dissection *d, __u32 *offset)
{
	const struct ethhdr *eth;
	struct ethhdr copy;

	eth = HEADER_AT(d->skb, *offset, &copy);
	if (!eth)
		return -1;
	d->ethertype = eth->h_proto;
	*offset += sizeof(*eth);
	return 0;
}

/* The PPP header of a PPTP packet: RFC 2637 section 4.1. What it carries otherwise stays PPP. */
static __always_inline int inner_ppp(struct dissection *d, __u32 *offset)
{
	const struct ppp_hdr *ppp;
	struct ppp_hdr copy;

	ppp = HEADER_AT(d->skb, *offset, &copy);
	if (!ppp)
		return -1;
	if (ppp->protocol == be16(PPP_IP))
		d->ethertype = be16(ETH_P_IP);
	else if (ppp->protocol == be16(PPP_IPV6))
		d->ethertype = be16(ETH_P_IPV6);
	*offset += sizeof(*ppp);
	return 0;
}

/* The bytes of an option: arithmetic, for each branch would be two paths to verify. */
static __always_inline __u32 gre_option(__be16 flags, const __u16 option)
{
	return be16(flags) / option % 2 * GRE_OPTION_LEN;
}

/* GRE, RFC 2784 and 2890; version 1 is PPTP, RFC 2637. */
static __always_inline enum step dissect_gre(struct dissection *d)
{
	const struct gre_base_hdr *gre;
	struct gre_base_hdr copy;
	__u32 offset = d->offset;
	__be16 flags;
	__be32 key;

	gre = HEADER_AT(d->skb, offset, &copy);
	if (!gre)
		return STEP_BAD;
	flags = gre->flags;
	/* RFC 2784 section 2.3: a packet with these bits is not ours to read. */
	if (flags & be16(GRE_ROUTING))
		return STEP_GOOD;
	if ((flags & be16(GRE_VERSION)) > be16(1))
		return STEP_GOOD;

	d->ethertype = gre->protocol;
	/* RFC 2637 section 4.1: PPP and a key (the call), or it is not PPTP. */
	if ((flags & be16(GRE_VERSION)) &&
	    (d->ethertype != be16(ETH_P_PPP) || !(flags & be16(GRE_KEY))))
		return STEP_GOOD;

	/* The C code reads the key, so a cut one is an error. */
	offset += sizeof(*gre) + gre_option(flags, GRE_CSUM);
	if ((flags & be16(GRE_KEY)) && !HEADER_AT(d->skb, offset, &key))
		return STEP_BAD;
	offset += gre_option(flags, GRE_KEY) + gre_option(flags, GRE_SEQ);

	if (flags & be16(GRE_VERSION)) {
		offset += gre_option(flags, GRE_ACK);
		if (inner_ppp(d, &offset))
			return STEP_BAD;
	} else if (d->ethertype == be16(ETH_P_TEB)) {
		if (inner_ethernet(d, &offset))
			return STEP_BAD;
	}

	d->offset = offset;
	return encapsulated(d, STEP_ETHERTYPE);
}

/* MPLS in IP, RFC 4023: no flag, as in the C code; the stack ends the walk anyway. */
static __always_inline enum step dissect_mpls_in_ip(struct dissection *d)
{
	d->ethertype = be16(ETH_P_MPLS_UC);
	return STEP_ETHERTYPE;
}

#endif
