/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stands between the Ethernet header and the network header, and what
 * stands there instead of one: tags, PPPoE, batman-adv; MPLS, ARP, TIPC, FCoE,
 * PTP, CFM. Refuses to look into what the keys cannot carry.
 */
#ifndef FLOW_DISSECTOR_LINK_H
#define FLOW_DISSECTOR_LINK_H

#include "kfn/byteorder.h"
#include "kfn/ethernet.h"
#include "kfn/industrial.h"
#include "kfn/mpls.h"
#include "kfn/pppoe.h"
#include "config.h"
#include "dissection.h"

/* One VLAN tag, IEEE 802.1Q clause 9; tags stack as deep as headers may. */
static __always_inline enum step dissect_vlan(struct dissection *d)
{
	const struct vlan_hdr *vlan;
	struct vlan_hdr copy;

	vlan = HEADER_AT(d->skb, d->offset, &copy);
	if (!vlan)
		return STEP_BAD;
	d->offset += sizeof(*vlan);
	return followed_by(d, vlan->h_vlan_encapsulated_proto);
}

/* PRP and HSR, IEC 62439-3: the redundancy tag of a ring. */
static __always_inline enum step dissect_hsr(struct dissection *d)
{
	const struct hsr_tag *hsr;
	struct hsr_tag copy;

	hsr = HEADER_AT(d->skb, d->offset, &copy);
	if (!hsr)
		return STEP_BAD;
	d->offset += sizeof(*hsr);
	return followed_by(d, hsr->encap_proto);
}

/* PPPoE, RFC 2516: the session stage; any other PPP protocol than these four ends the walk. */
static __always_inline enum step dissect_pppoe(struct dissection *d)
{
	const struct pppoe_ses_hdr *ppp;
	struct pppoe_ses_hdr copy;
	__be16 protocol;

	ppp = HEADER_AT(d->skb, d->offset, &copy);
	if (!ppp)
		return STEP_BAD;
	if (ppp->version_type != PPPOE_VERSION_TYPE || ppp->code != PPPOE_CODE_SESSION)
		return STEP_BAD;
	d->offset += sizeof(*ppp);
	protocol = ppp->protocol;

	/*
	 * CVE-2026-46306: C code that takes a compressed protocol field reads all
	 * headers behind it from odd addresses. RFC 2516 section 7 forbids the field.
	 */
	if (protocol & be16(PPP_PROTO_COMPRESSED))
		return patched(PATCH_PPPOE_PFC) ? STEP_REFUSE : STEP_BAD;
	if (protocol == be16(PPP_IP))
		return followed_by(d, be16(ETH_P_IP));
	if (protocol == be16(PPP_IPV6))
		return followed_by(d, be16(ETH_P_IPV6));
	if (protocol == be16(PPP_MPLS_UC))
		return followed_by(d, be16(ETH_P_MPLS_UC));
	if (protocol == be16(PPP_MPLS_MC))
		return followed_by(d, be16(ETH_P_MPLS_MC));
	if ((protocol & be16(PPP_PROTO_BITS)) != be16(PPP_PROTO_VALID))
		return STEP_BAD;
	return STEP_GOOD;
}

/* batman-adv, the mesh of batadv_packet.h: unicast packets carry a frame. */
static __always_inline enum step dissect_batadv(struct dissection *d)
{
	const struct batadv_unicast *batadv;
	struct batadv_unicast copy;

	batadv = HEADER_AT(d->skb, d->offset, &copy);
	if (!batadv)
		return STEP_BAD;
	if (batadv->version != BATADV_VERSION || batadv->packet_type != BATADV_UNICAST)
		return STEP_BAD;
	d->offset += sizeof(*batadv);
	d->ethertype = batadv->eth.h_proto;
	return encapsulated(d, STEP_ETHERTYPE);
}

/*
 * MPLS, RFC 3032: nothing says what is below the stack, and the keys carry no
 * label. The C code does not read the entry for them either, so a cut one is good.
 */
static __always_inline enum step dissect_mpls(struct dissection *d)
{
	d->offset += sizeof(struct mpls_label);
	return STEP_GOOD;
}

/* ARP and RARP, RFC 826 and 903: the keys carry nothing of them but the type. */
static __always_inline enum step dissect_arp(struct dissection *d)
{
	(void)d;
	return STEP_GOOD;
}

/* TIPC, the protocol of tipc.io: the C code spreads by the sender's node, for which the keys have no room. */
static __always_inline enum step dissect_tipc(struct dissection *d)
{
	(void)d;
	return patched(PATCH_TIPC) ? STEP_REFUSE : STEP_UNKNOWN;
}

/* FCoE, INCITS FC-BB-5: the least that a frame has. */
static __always_inline enum step dissect_fcoe(struct dissection *d)
{
	struct fcoe_header copy;

	if (!HEADER_AT(d->skb, d->offset, &copy))
		return STEP_BAD;
	d->offset += sizeof(copy);
	return STEP_GOOD;
}

/* PTP over Ethernet, IEEE 1588 annex F. */
static __always_inline enum step dissect_ptp(struct dissection *d)
{
	struct ptp_header copy;

	if (!HEADER_AT(d->skb, d->offset, &copy))
		return STEP_BAD;
	d->offset += sizeof(copy);
	return STEP_GOOD;
}

/* CFM, IEEE 802.1ag: as ARP, the keys carry nothing of it but the type. */
static __always_inline enum step dissect_cfm(struct dissection *d)
{
	(void)d;
	return STEP_GOOD;
}

#endif
