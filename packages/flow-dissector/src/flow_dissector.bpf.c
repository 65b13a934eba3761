// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The flow dissector: finds addresses, ports and the transport header of a
 * packet, as __skb_flow_dissect() of net/core/flow_dissector.c does for a
 * caller that asks for what struct bpf_flow_keys can carry. Refuses to guess:
 * what it does not know, or what the keys cannot carry, goes to the C code.
 *
 * The order of the includes is the parse graph's: from the ethertypes through
 * the IP protocols to the ports. A step looks at one header and names the next;
 * docs/graph.svg is drawn from the functions named dissect_…() and the two
 * switches below.
 */
#include "kfn/int.h"
#include "kfn/byteorder.h"
#include "kfn/program.h"
#include "kfn/note.h"
#include "kfn/skb.h"
#include "kfn/flow_keys.h"
#include "kfn/ethernet.h"
#include "kfn/ip.h"
#include "kfn/ipv6.h"
#include "config.h"
#include "dissection.h"
#include "fast.h"
#include "link.h"
#include "network.h"
#include "tunnel.h"
#include "udp_tunnel.h"
#include "transport.h"

KFN_NOTE("flow-dissector", "1", ">=6.1",
	 KFN_FEATURE("link:netns")
	 KFN_FEATURE("prog_type:flow_dissector"));
KFN_LICENSE("Dual BSD/GPL");

static __always_inline enum step dissect_ethertype(struct dissection *d)
{
	switch (d->ethertype) {
	case be16(ETH_P_IP):
		return dissect_ipv4(d);
	case be16(ETH_P_IPV6):
		return dissect_ipv6(d);
	case be16(ETH_P_8021Q):
	case be16(ETH_P_8021AD):
		return dissect_vlan(d);
	case be16(ETH_P_PPP_SES):
		return dissect_pppoe(d);
	case be16(ETH_P_MPLS_UC):
	case be16(ETH_P_MPLS_MC):
		return dissect_mpls(d);
	case be16(ETH_P_ARP):
	case be16(ETH_P_RARP):
		return dissect_arp(d);
	case be16(ETH_P_PRP):
	case be16(ETH_P_HSR):
		return dissect_hsr(d);
	case be16(ETH_P_BATMAN):
		return dissect_batadv(d);
	case be16(ETH_P_TIPC):
		return dissect_tipc(d);
	case be16(ETH_P_FCOE):
		return dissect_fcoe(d);
	case be16(ETH_P_1588):
		return dissect_ptp(d);
	case be16(ETH_P_CFM):
		return dissect_cfm(d);
	default:
		return patched(PATCH_UNKNOWN) ? STEP_REFUSE : STEP_UNKNOWN;
	}
}

static __always_inline enum step dissect_ip_proto(struct dissection *d)
{
	switch (d->ip_proto) {
	case NEXTHDR_HOP:
	case NEXTHDR_ROUTING:
	case NEXTHDR_DEST:
		return dissect_ipv6_opt(d);
	case NEXTHDR_FRAGMENT:
		return dissect_ipv6_frag(d);
	case IPPROTO_IPIP:
		return dissect_ipip(d);
	case IPPROTO_IPV6:
		return dissect_ip6ip(d);
	case IPPROTO_GRE:
		return dissect_gre(d);
	case IPPROTO_MPLS:
		return dissect_mpls_in_ip(d);
	case IPPROTO_UDP:
		return dissect_udp(d);
	default:
		return STEP_PORTS;
	}
}

/* Not named as its section: clang 19 gives the section a symbol of that name. */
SEC("flow_dissector")
int flow_dissect(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct dissection d = { .skb = skb, .keys = keys };
	enum step step = STEP_ETHERTYPE;
	int for_flower = 0;

	if (keys->flags & FLOW_DISSECTOR_F_STOP_BEFORE_ENCAP) {
		/* Flower: its keys are more than struct bpf_flow_keys has. */
		if (!patched(PATCH_PPPOE_PFC | PATCH_TIPC | PATCH_UNKNOWN))
			return BPF_FLOW_DISSECTOR_CONTINUE;
		for_flower = 1;
	} else if (keys->n_proto == be16(ETH_P_IP)) {
		if (fast_ipv4(skb, keys))
			return BPF_OK;
	} else if (keys->n_proto == be16(ETH_P_IPV6)) {
		if (fast_ipv6(skb, keys))
			return BPF_OK;
	}

	/* One turn per header that leads to another; IP and what it carries are one. */
	for (int header = 0; header <= MAX_FLOW_DISSECT_HDRS; header++) {
		if (step == STEP_ETHERTYPE) {
			resume(&d);
			step = dissect_ethertype(&d);
			suspend(&d);
		}
		if (step == STEP_IP_PROTO) {
			resume(&d);
			/* For flower the C code looks into no tunnel: nothing there is to be kept from it. */
			step = for_flower ? STEP_UNKNOWN : dissect_ip_proto(&d);
			suspend(&d);
		}
		if (step >= STEP_PORTS)
			break;
	}

	if (step == STEP_REFUSE)
		return BPF_DROP;
	if (step == STEP_UNKNOWN || for_flower)
		return BPF_FLOW_DISSECTOR_CONTINUE;
	if (step == STEP_BAD)
		return BPF_DROP;
	/* Too many headers are no error: the flow is what was found so far. */
	if (step == STEP_IP_PROTO || step == STEP_PORTS)
		dissect_ports(&d);
	return BPF_OK;
}
