/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tunnels over UDP on the ports that the operator names: VXLAN, Geneve, GUE,
 * MPLS in UDP. Refuses to guess: a port alone is no protocol, and the C code
 * looks into none of them.
 *
 * Where nothing is configured none of this is in the program that runs.
 */
#ifndef FLOW_DISSECTOR_UDP_TUNNEL_H
#define FLOW_DISSECTOR_UDP_TUNNEL_H

#include "kfn/byteorder.h"
#include "kfn/ethernet.h"
#include "kfn/udp.h"
#include "config.h"
#include "dissection.h"
#include "tunnel.h"

/* VXLAN, RFC 7348. Without its flag it is something else on that port. */
static __always_inline enum step dissect_vxlan(struct dissection *d, __u32 offset)
{
	const struct vxlanhdr *vxlan;
	struct vxlanhdr copy;

	vxlan = HEADER_AT(d->skb, offset, &copy);
	if (!vxlan)
		return STEP_BAD;
	if (!(vxlan->flags & VXLAN_I))
		return STEP_PORTS;
	offset += sizeof(*vxlan);
	if (inner_ethernet(d, &offset))
		return STEP_BAD;
	d->offset = offset;
	return encapsulated(d, STEP_ETHERTYPE);
}

/* Geneve, RFC 8926. Control messages carry no packet. */
static __always_inline enum step dissect_geneve(struct dissection *d, __u32 offset)
{
	const struct genevehdr *geneve;
	struct genevehdr copy;
	__be16 protocol;

	geneve = HEADER_AT(d->skb, offset, &copy);
	if (!geneve)
		return STEP_BAD;
	if ((geneve->version_optlen & GENEVE_VERSION) || (geneve->flags & GENEVE_CONTROL))
		return STEP_PORTS;
	protocol = geneve->protocol;
	offset += sizeof(*geneve) + (geneve->version_optlen & GENEVE_OPTLEN) * 4;
	d->ethertype = protocol;
	if (protocol == be16(ETH_P_TEB) && inner_ethernet(d, &offset))
		return STEP_BAD;
	d->offset = offset;
	return encapsulated(d, STEP_ETHERTYPE);
}

/* GUE, draft-ietf-intarea-gue-09: an IP protocol behind a header, or IP at once. */
static __always_inline enum step dissect_gue(struct dissection *d, __u32 offset)
{
	const struct guehdr *gue;
	struct guehdr copy;

	gue = HEADER_AT(d->skb, offset, &copy);
	if (!gue)
		return STEP_BAD;
	switch (gue->variant_control_hlen & GUE_VARIANT) {
	case 0:
		if (gue->variant_control_hlen & GUE_CONTROL)
			return STEP_PORTS;
		d->offset = offset + sizeof(*gue) + (gue->variant_control_hlen & GUE_HLEN) * 4;
		d->ip_proto = gue->protocol;
		return encapsulated(d, STEP_IP_PROTO);
	case GUE_DIRECT:
		if ((gue->variant_control_hlen & GUE_IP_VERSION) == 0x40)
			d->ethertype = be16(ETH_P_IP);
		else if ((gue->variant_control_hlen & GUE_IP_VERSION) == 0x60)
			d->ethertype = be16(ETH_P_IPV6);
		else
			return STEP_PORTS;
		d->offset = offset;
		return encapsulated(d, STEP_ETHERTYPE);
	default:
		return STEP_PORTS;
	}
}

/* MPLS in UDP, RFC 7510: as MPLS in IP; the outer ports are all that tells flows apart. */
static __always_inline enum step dissect_mpls_in_udp(struct dissection *d, __u32 offset)
{
	d->ethertype = be16(ETH_P_MPLS_UC);
	d->offset = offset;
	return STEP_ETHERTYPE;
}

/* UDP, RFC 768: a transport, unless the destination port is one of the operator's tunnels. */
static __always_inline enum step dissect_udp(struct dissection *d)
{
	const struct udphdr *udp;
	struct udphdr copy;
	enum step step = STEP_PORTS;
	__u32 offset = d->offset + sizeof(*udp);
	__u32 port;

	if (!has_udp_tunnels() || d->keys->is_frag)
		return STEP_PORTS;
	udp = HEADER_AT(d->skb, d->offset, &copy);
	if (!udp)
		return STEP_PORTS;
	port = be16(udp->dest);
	/* They stay when what is inside has no addresses of its own. */
	d->keys->ports = udp->ports;

	if (LISTS_PORT(VXLAN_PORTS, port))
		step = dissect_vxlan(d, offset);
	else if (LISTS_PORT(GENEVE_PORTS, port))
		step = dissect_geneve(d, offset);
	else if (LISTS_PORT(GUE_PORTS, port))
		step = dissect_gue(d, offset);
	else if (LISTS_PORT(MPLS_UDP_PORTS, port))
		step = dissect_mpls_in_udp(d, offset);
	return step;
}

#endif
