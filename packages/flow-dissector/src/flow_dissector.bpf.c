// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The flow dissector: finds addresses, ports and the transport header of a
 * packet, as __skb_flow_dissect() of net/core/flow_dissector.c does for a
 * caller that asks for what struct bpf_flow_keys can carry. Refuses to guess:
 * what it does not know, or what the keys cannot carry, goes to the C code.
 *
 * The order of this file is the parse graph's: from the ethertypes through the
 * IP protocols to the ports. A step looks at one header and names the next.
 */
#include "kfn/int.h"
#include "kfn/byteorder.h"
#include "kfn/program.h"
#include "kfn/note.h"
#include "kfn/skb.h"
#include "kfn/flow_keys.h"
#include "kfn/header.h"
#include "kfn/ethernet.h"
#include "kfn/ip.h"
#include "kfn/ipv6.h"
#include "kfn/mpls.h"
#include "kfn/gre.h"

KFN_NOTE("flow-dissector", "1", ">=6.1",
	 KFN_FEATURE("link:netns")
	 KFN_FEATURE("prog_type:flow_dissector"));
KFN_LICENSE("Dual BSD/GPL");

/*
 * What to do next. The values are 7 apart, for no two of them then differ by a
 * power of 2: clang would make "flag ? A : B" of such a pair into arithmetic,
 * and the verifier would follow steps that cannot happen (6 times the effort).
 */
enum step {
	STEP_ETHERTYPE = 7,	/* the header at offset is what ethertype says */
	STEP_IP_PROTO = 14,	/* the header at offset is what ip_proto says */
	STEP_PORTS = 21,	/* ip_proto is no header to skip: ports, if it has any */
	STEP_GOOD = 28,		/* done */
	STEP_BAD = 35,		/* done: a header is cut off or nonsense */
	STEP_UNKNOWN = 42,	/* not for this program: ask the C code */
};

/* Where the dissection stands. What a step writes into keys is final. */
struct dissection {
	struct __sk_buff *skb;
	struct bpf_flow_keys *keys;
	__u32 offset;		/* of the current header, from the packet's first byte */
	__be16 ethertype;	/* of the innermost network header so far */
	__u8 ip_proto;		/* of the innermost transport or extension header so far */
};

/*
 * Between two headers the position lies in the keys, where it belongs at the
 * end anyhow. It is volatile because the verifier knows nothing of what it
 * reads there: it would otherwise follow every sum of header lengths through
 * all the headers behind (5.10 to 6.18 give up after a million instructions).
 */
static __always_inline void resume(struct dissection *d)
{
	const volatile struct bpf_flow_keys *keys = d->keys;

	d->offset = keys->thoff;
	d->ethertype = keys->n_proto;
	d->ip_proto = keys->ip_proto;
}

static __always_inline void suspend(struct dissection *d)
{
	volatile struct bpf_flow_keys *keys = d->keys;

	/* thoff has 16 bits, and a wrapped one would name an earlier header. */
	if (d->offset > KFN_PACKET_OFFSET_MAX)
		d->offset = KFN_PACKET_OFFSET_MAX;
	keys->thoff = d->offset;
	keys->n_proto = d->ethertype;
	keys->ip_proto = d->ip_proto;
}

/* What carries another network header; the caller may want no more than that. */
static __always_inline enum step encapsulated(struct dissection *d)
{
	d->keys->is_encap = 1;
	if (d->keys->flags & BPF_FLOW_DISSECTOR_F_STOP_AT_ENCAP)
		return STEP_GOOD;
	return STEP_ETHERTYPE;
}

/* IPv4, RFC 791. The version field is not looked at: the ethertype decides. */
static __always_inline enum step dissect_ipv4(struct dissection *d)
{
	struct bpf_flow_keys *keys = d->keys;
	const struct iphdr *iph;
	struct iphdr copy;
	__u8 ihl;

	iph = HEADER_AT(d->skb, d->offset, &copy);
	if (!iph)
		return STEP_BAD;
	/* CVE-2013-4348: a length of 0 made the C code loop on this header. */
	ihl = iph->version_ihl & IP_IHL;
	if (ihl < IP_IHL_MIN)
		return STEP_BAD;

	d->offset += ihl * 4;
	d->ip_proto = iph->protocol;

	if (keys->addr_proto == ETH_P_IPV6) {
		/* An outer address must not show behind the shorter inner one. */
		keys->ipv6_src[2] = 0;
		keys->ipv6_src[3] = 0;
		__builtin_memset(keys->ipv6_dst, 0, sizeof(keys->ipv6_dst));
	}
	keys->addr_proto = ETH_P_IP;
	keys->ipv4_src = iph->saddr;
	keys->ipv4_dst = iph->daddr;

	if (iph->frag_off & be16(IP_MF | IP_OFFSET)) {
		keys->is_frag = 1;
		if (iph->frag_off & be16(IP_OFFSET))
			return STEP_GOOD;
		keys->is_first_frag = 1;
		if (!(keys->flags & BPF_FLOW_DISSECTOR_F_PARSE_1ST_FRAG))
			return STEP_GOOD;
	}
	return STEP_IP_PROTO;
}

/* IPv6, RFC 8200; the flow label, RFC 6437. */
static __always_inline enum step dissect_ipv6(struct dissection *d)
{
	struct bpf_flow_keys *keys = d->keys;
	const struct ipv6hdr *iph;
	struct ipv6hdr copy;
	__be32 label;

	iph = HEADER_AT(d->skb, d->offset, &copy);
	if (!iph)
		return STEP_BAD;

	d->offset += sizeof(*iph);
	d->ip_proto = iph->nexthdr;

	keys->addr_proto = ETH_P_IPV6;
	__builtin_memcpy(keys->ipv6_src, iph->saddr, sizeof(keys->ipv6_src));
	__builtin_memcpy(keys->ipv6_dst, iph->daddr, sizeof(keys->ipv6_dst));

	/* RFC 6437 section 2: 0 is no label, so an outer one stays. */
	label = iph->version_class_label & be32(IPV6_FLOWLABEL);
	if (label) {
		keys->flow_label = label;
		if (keys->flags & BPF_FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL)
			return STEP_GOOD;
	}
	return STEP_IP_PROTO;
}

/* One VLAN tag, IEEE 802.1Q clause 9; tags stack as deep as headers may. */
static __always_inline enum step dissect_vlan(struct dissection *d)
{
	const struct vlan_hdr *vlan;
	struct vlan_hdr copy;

	vlan = HEADER_AT(d->skb, d->offset, &copy);
	if (!vlan)
		return STEP_BAD;

	d->offset += sizeof(*vlan);
	d->ethertype = vlan->h_vlan_encapsulated_proto;
	/* nhoff is the outermost network header: a tag inside of a tunnel is not before it. */
	if (!d->keys->is_encap)
		d->keys->nhoff = d->offset;
	return STEP_ETHERTYPE;
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
	case be16(ETH_P_MPLS_UC):
	case be16(ETH_P_MPLS_MC):
		return dissect_mpls(d);
	case be16(ETH_P_ARP):
	case be16(ETH_P_RARP):
		return STEP_GOOD;	/* the keys carry nothing of ARP but its type */
	default:
		return STEP_UNKNOWN;
	}
}

/* The extension headers that begin with their own length: RFC 8200 section 4. */
static __always_inline enum step dissect_ipv6_opt(struct dissection *d)
{
	const struct ipv6_opt_hdr *opt;
	struct ipv6_opt_hdr copy;

	/* In IPv4 these numbers are protocols without ports (0: reserved). */
	if (d->ethertype != be16(ETH_P_IPV6))
		return STEP_GOOD;

	opt = HEADER_AT(d->skb, d->offset, &copy);
	if (!opt)
		return STEP_BAD;

	d->offset += (opt->hdrlen + 1) * 8;
	d->ip_proto = opt->nexthdr;
	return STEP_IP_PROTO;
}

/* The fragment header: RFC 8200 section 4.5. */
static __always_inline enum step dissect_ipv6_frag(struct dissection *d)
{
	struct bpf_flow_keys *keys = d->keys;
	const struct frag_hdr *frag;
	struct frag_hdr copy;

	if (d->ethertype != be16(ETH_P_IPV6))
		return STEP_GOOD;

	frag = HEADER_AT(d->skb, d->offset, &copy);
	if (!frag)
		return STEP_BAD;

	d->offset += sizeof(*frag);
	d->ip_proto = frag->nexthdr;

	keys->is_frag = 1;
	if (frag->frag_off & be16(IP6_OFFSET))
		return STEP_GOOD;
	keys->is_first_frag = 1;
	if (!(keys->flags & BPF_FLOW_DISSECTOR_F_PARSE_1ST_FRAG))
		return STEP_GOOD;
	return STEP_IP_PROTO;
}

/* IP in IP of any two versions: RFC 2003, 2473, 4213. */
static __always_inline enum step dissect_ip_in_ip(struct dissection *d, __be16 inner)
{
	d->ethertype = inner;
	return encapsulated(d);
}

/* GRE, RFC 2784 and 2890. */
static __always_inline enum step dissect_gre(struct dissection *d)
{
	const struct gre_base_hdr *gre;
	const struct ethhdr *eth;
	struct gre_base_hdr copy;
	struct ethhdr eth_copy;
	__u32 offset = d->offset;
	__be32 key;

	gre = HEADER_AT(d->skb, offset, &copy);
	if (!gre)
		return STEP_BAD;
	/* RFC 2784 section 2.3: a packet with these bits is not ours to read. */
	if (gre->flags & be16(GRE_ROUTING))
		return STEP_GOOD;
	switch (gre->flags & be16(GRE_VERSION)) {
	case 0:
		break;
	case be16(1):
		/* PPTP, RFC 2637. */
		return STEP_UNKNOWN;
	default:
		return STEP_GOOD;
	}

	d->ethertype = gre->protocol;
	offset += sizeof(*gre);
	if (gre->flags & be16(GRE_CSUM))
		offset += GRE_OPTION_LEN;
	if (gre->flags & be16(GRE_KEY)) {
		/* The C code reads the key, so a cut one is an error. */
		if (!HEADER_AT(d->skb, offset, &key))
			return STEP_BAD;
		offset += GRE_OPTION_LEN;
	}
	if (gre->flags & be16(GRE_SEQ))
		offset += GRE_OPTION_LEN;

	if (d->ethertype == be16(ETH_P_TEB)) {
		eth = HEADER_AT(d->skb, offset, &eth_copy);
		if (!eth)
			return STEP_BAD;
		d->ethertype = eth->h_proto;
		offset += sizeof(*eth);
	}

	d->offset = offset;
	return encapsulated(d);
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
		return dissect_ip_in_ip(d, be16(ETH_P_IP));
	case IPPROTO_IPV6:
		return dissect_ip_in_ip(d, be16(ETH_P_IPV6));
	case IPPROTO_GRE:
		return dissect_gre(d);
	case IPPROTO_MPLS:
		/* RFC 4023: no flag, as in the C code; the stack ends the walk anyway. */
		d->ethertype = be16(ETH_P_MPLS_UC);
		return STEP_ETHERTYPE;
	default:
		return STEP_PORTS;
	}
}

/*
 * The 4 bytes that tell flows of one protocol and two addresses apart, where a
 * protocol has them, as include/linux/in.h proto_ports_offset() has it: ports,
 * or the SPI of IPsec. Everything else is a flow by its addresses alone.
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

/* Not named as its section: clang 19 gives the section a symbol of that name. */
SEC("flow_dissector")
int flow_dissect(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct dissection d = { .skb = skb, .keys = keys };
	enum step step = STEP_ETHERTYPE;

	/* Only flower asks so, and its keys are more than struct bpf_flow_keys has. */
	if (keys->flags & FLOW_DISSECTOR_F_STOP_BEFORE_ENCAP)
		return BPF_FLOW_DISSECTOR_CONTINUE;

	/* One turn per header that leads to another; IP and what it carries are one. */
	for (int header = 0; header <= MAX_FLOW_DISSECT_HDRS; header++) {
		resume(&d);
		if (step != STEP_ETHERTYPE ||
		    (step = dissect_ethertype(&d)) == STEP_IP_PROTO)
			step = dissect_ip_proto(&d);
		suspend(&d);
		if (step >= STEP_PORTS)
			break;
	}

	if (step == STEP_BAD)
		return BPF_DROP;
	if (step == STEP_UNKNOWN)
		return BPF_FLOW_DISSECTOR_CONTINUE;
	/* Too many headers are no error: the flow is what was found so far. */
	if (step == STEP_IP_PROTO || step == STEP_PORTS)
		dissect_ports(&d);
	return BPF_OK;
}
